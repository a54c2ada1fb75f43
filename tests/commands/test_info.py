import json

from ganfill import cli


def test_info_tells_what_a_file_holds(model_path, capsys):
    assert cli.run(["info", str(model_path)]) == 0
    told = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    told = {name: value.strip() for name, value in told.items()}
    assert told["generator"].startswith("dcgan.Generator(resolution=32, latent_dim=8, width=4), ")
    assert told["latent"] == "latent.Uniform(dim=8)"
    assert told["trained"] == "12.5 thousand images seen, on 40 pictures"
    assert told["terms"] == "Gemäß den Bedingungen"
    assert len(told["sha256"].split()[0]) == 64


def test_the_whole_card_goes_to_a_summary(model_path, tmp_path, model):
    assert cli.run(["info", f"file={model_path}", f"out={tmp_path / 'told'}"]) == 0
    summary = json.loads((tmp_path / "told/summary.json").read_text("utf-8"))
    assert summary["figures"]["card"] == model.card
    assert summary["figures"]["bytes"] == model_path.stat().st_size


def test_a_packaged_model_by_name(capsys):
    assert cli.run(["info", "faces64"]) == 0
    told = capsys.readouterr().out
    assert "non-commercial" in told.lower() and "dcgan.Generator(resolution=64" in told


def test_what_is_no_model_is_refused_in_one_line(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("no model")
    assert cli.run(["info", str(tmp_path / "notes.txt")]) == 2
    error = capsys.readouterr().err
    assert "notes.txt is no model file" in error and error.count("\n") == 1
    assert cli.run(["info", "faces65"]) == 2
    assert "faces64" in capsys.readouterr().err
