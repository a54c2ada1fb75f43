"""Models that come with ganfill, their cards and terms, and pictures to try them on."""
