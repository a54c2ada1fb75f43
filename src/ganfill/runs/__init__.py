"""Reading training runs: ranking, leaderboard and reports."""
