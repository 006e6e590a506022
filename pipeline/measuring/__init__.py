"""Numbers about pages: metrics, rows in Parquet, what a run comes to."""
