import subprocess
import sys

PROGRAM = """
import sys
from flows.quality.gx_import import import_great_expectations
import_great_expectations()
assert not {"altair.vegalite", "scipy.stats._stats_py"} & set(sys.modules), "what few expectations need was imported"
from great_expectations.expectations.core import expect_column_kl_divergence_to_be_less_than as kl
assert kl.stats.entropy([0.5, 0.5], [0.5, 0.5]) == 0 and kl.alt.Chart.__name__ == "Chart"
import altair, scipy.stats
assert altair.Chart is kl.alt.Chart and scipy.stats.entropy is kl.stats.entropy
"""


def test_what_few_expectations_need_is_imported_when_they_do() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
