"""What `make validate` checks: every estimator against exact, dense or published values."""
