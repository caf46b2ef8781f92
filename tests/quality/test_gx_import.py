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


def test_what_only_reads_regular_expressions_imports_none_of_it() -> None:
    program = "import sys; from flows.quality.gx_polars.regexes import translate; assert 'great_expectations' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
