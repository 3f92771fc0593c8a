"""What ecart costs, as ratios to what stands below it and beside it. Run: `python -m benchmarks`.

The rule: a ratio is taken between turns of one round, on one machine, a moment apart. Seconds of
another day or another machine are never compared.
"""
