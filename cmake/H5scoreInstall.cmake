# Install rules and the find_package(h5score) files.
