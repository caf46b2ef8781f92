"""socle reproduce, on a project that ran twice."""

from __future__ import annotations

from flows.training import baseline


def test_a_version_is_made_again(socle, lake):
    done = socle("reproduce", "essai/theme@2", "--json")
    assert done.code == 0 and done.json["verdict"] == "exact" and done.json["version"] == "essai/theme@2"
    text = socle("reproduce", "essai/theme@champion")
    assert text.code == 0 and "the same: every answer" in text.out and "essai/demandes@2" in text.out
    assert [v["number"] for v in socle("ls", "essai", "--json").json["models"]["theme"]["versions"]] == [4, 3, 2, 1]


def test_one_that_differs_is_exit_1(socle, lake, monkeypatch):
    own = baseline.train
    monkeypatch.setattr(baseline, "train", lambda job, **more: own(_weaker(job), **more))
    done = socle("reproduce", "essai/theme@3", "--json")
    assert done.code == 1 and done.json["verdict"] == "different"
    assert socle("reproduce", "essai/theme@3", "--tolerance", "1", "--json").json["verdict"] == "within"
    text = socle("reproduce", "essai/theme@3")
    assert text.code == 1 and "macro_f1, test" in text.out and "0 of 1 files are the same" in text.out


def _weaker(job):
    job.candidate = job.candidate.model_copy(update={"max_features": 1, "ngram_max": 1})
    return job


def test_a_dry_run_trains_nothing(socle, lake, monkeypatch):
    monkeypatch.setattr(baseline, "train", lambda job, **more: 1 / 0)
    assert socle("reproduce", "essai/theme@3", "--dry-run", "--json").json == {
        "version": "essai/theme@3",
        "dataset": "essai/demandes@2",
        "notes": [],
    }
    assert "as they were then" in socle("reproduce", "essai/theme@3", "--dry-run").out


def test_what_is_not_there_is_exit_2(socle, lake):
    assert socle("reproduce", "essai/theme@9").code == 2
    done = socle("reproduce", "essai/demandes@1", "--json")
    assert done.code == 2 and "only models" in done.json["error"]["message"]
