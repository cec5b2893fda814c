"""The suite that decides whether a release ships: it talks to the product itself. docs/evals.md explains it."""
