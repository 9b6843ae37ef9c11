#!/usr/bin/env python3
"""Makes one HDF5 file of the 70,000 Fashion-MNIST images, from Debian's package dataset-fashion-mnist.

    python3 make_fashion.py OUT.h5 [--source FOLDER]

/images  70000 x 28 x 28 uint8, chunks of 256 images, gzip 4; the 60,000 training images come first
/labels  70000 uint8, the class of each image (0 to 9)
/class_names  what the ten classes are called
"""
import argparse
import gzip
import os

import h5py
import numpy as np

SOURCE = "/usr/share/datasets/fashion-mnist"
CLASS_NAMES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


def read_idx(path):
    """An array of unsigned bytes in the IDX format: 0, 0, 8, rank; big-endian extents; the bytes."""
    with gzip.open(path, "rb") as f:
        data = f.read()
    if data[:3] != b"\0\0\x08":
        raise ValueError("%s: not an IDX file of unsigned bytes" % path)
    rank = data[3]
    shape = np.frombuffer(data, dtype=">u4", count=rank, offset=4)
    return np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * rank).reshape(shape)


def load(source=SOURCE):
    """Images (70000 x 28 x 28) and labels (70000), training rows first."""
    images = [read_idx(os.path.join(source, part + "-images-idx3-ubyte.gz")) for part in ("train", "t10k")]
    labels = [read_idx(os.path.join(source, part + "-labels-idx1-ubyte.gz")) for part in ("train", "t10k")]
    return np.concatenate(images), np.concatenate(labels)


def main():
    parser = argparse.ArgumentParser(description="Makes an HDF5 file of the 70,000 Fashion-MNIST images.")
    parser.add_argument("out", help="HDF5 file to write")
    parser.add_argument("--source", default=SOURCE, help="folder of the four idx.gz files (default: %(default)s)")
    arguments = parser.parse_args()
    if not os.path.isdir(arguments.source):
        parser.error("%s does not exist; install Debian's package dataset-fashion-mnist" % arguments.source)
    images, labels = load(arguments.source)
    part = arguments.out + ".tmp"
    with h5py.File(part, "w") as f:
        f.create_dataset("images", data=images, chunks=(256, 28, 28), compression="gzip", compression_opts=4)
        f.create_dataset("labels", data=labels)
        f.create_dataset("class_names", data=CLASS_NAMES, dtype=h5py.string_dtype())
        f.attrs["title"] = "Fashion-MNIST, training images (rows 0 to 59999) and test images (rows 60000 to 69999)"
        f.attrs["origin"] = "https://github.com/zalandoresearch/fashion-mnist, Debian package dataset-fashion-mnist"
        f.attrs["licence"] = "MIT, copyright 2017 Zalando SE"
    os.replace(part, arguments.out)
    print("%s: %d images of %d x %d pixels" % ((arguments.out,) + images.shape))


if __name__ == "__main__":
    main()
