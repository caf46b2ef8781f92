"""Great Expectations builds an expectation's configuration anew for each argument that it looks up: 140 times for one expectation, a
third of what one takes whatever the rows (5.6 ms). Here it is built once a look-up of all of them; what comes out is equal."""

from __future__ import annotations

from typing import Any

from great_expectations.expectations.expectation import Expectation

THEIRS = (Expectation._get_domain_kwargs, Expectation._get_success_kwargs)


def read_once() -> None:
    """For the whole process. The two methods that it takes the place of are private: `make test` compares with them."""
    Expectation._get_domain_kwargs = domain  # type: ignore[method-assign]
    Expectation._get_success_kwargs = success  # type: ignore[method-assign]


def domain(self: Expectation) -> dict[str, Any]:
    given = self.configuration.kwargs
    return {key: given.get(key, self._get_default_value(key)) for key in self.domain_keys}


def success(self: Expectation) -> dict[str, Any]:
    given = self.configuration.kwargs
    return {key: given.get(key, self._get_default_value(key)) for key in (*self.success_keys, *self.domain_keys)}
