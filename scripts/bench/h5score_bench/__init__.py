"""Parts of scripts/bench/run: what is compared, how it is run and measured, and how it is told."""
