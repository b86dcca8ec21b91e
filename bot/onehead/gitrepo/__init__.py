"""Read and write git, without a work tree and without running anything of the repository."""
