"""Networks, in torch alone: no images, no files, no Prefect."""
