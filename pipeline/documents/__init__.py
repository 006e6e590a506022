"""Documents in and out: image files and PDFs, page by page, whole or not at all."""
