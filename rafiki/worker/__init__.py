"""The one program that runs users' code: it checks, trains and serves one model template, and trusts nothing else."""
