"""Great Expectations suites on the rows of a load. The only room that imports Great Expectations."""

from flows.quality.results import CheckReport, CheckResult
from flows.quality.suites import QUALITY_REVISION, Suite, load_suites

__all__ = ["QUALITY_REVISION", "CheckReport", "CheckResult", "Suite", "load_suites"]
