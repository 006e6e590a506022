"""All of pagewash's work on pages: reading, tiling, cleaning, measuring, training. No Prefect."""
