"""Prepare a set of TensorFlow Datasets for reading: `python -m chaosjax.datasets.prepare mnist`."""

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from chaosjax.datasets._tensorflow_sets import check_known, data_folder

NEEDED = ("tensorflow", "importlib_resources")


def main(arguments: Sequence[str] | None = None) -> None:
    """Prepare the set named on the command line; exit with one line on failure."""
    parser = argparse.ArgumentParser(
        prog="python -m chaosjax.datasets.prepare",
        description="Download a data set of TensorFlow Datasets and prepare it for chaosjax.datasets.tfds.",
    )
    parser.add_argument("name", help="the set's name there, such as mnist or emnist/letters")
    parser.add_argument("--data_dir", help="default: $TFDS_DATA_DIR or ~/tensorflow_datasets")
    options = parser.parse_args(arguments)
    folder = data_folder(options.data_dir)
    missing = [module for module in NEEDED if find_spec(module) is None]
    if missing:
        sys.exit(f"preparing a data set needs {' and '.join(missing)}: pip install 'chaosjax[prepare]'")
    try:
        check_known(options.name)
        location = _prepare(options.name, folder)
    except Exception as error:
        sys.exit(f"{options.name} could not be prepared in {folder}: {' '.join(str(error).split())}")
    print(f"{options.name} is prepared in {location}")


def _prepare(name: str, folder: str) -> str:
    import tensorflow_datasets
    from tensorflow_datasets.core.download import downloader

    # Its ten attempts, each with its own log line, keep a user without a network waiting for minutes.
    downloader.MAX_RETRIES = 3
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    builder = tensorflow_datasets.builder(name, data_dir=folder, file_format="array_record")
    # try_download_gcs=False: what lies there ready-made is in TFRecord format.
    builder.download_and_prepare(download_config=tensorflow_datasets.download.DownloadConfig(try_download_gcs=False))
    return str(builder.data_dir)


if __name__ == "__main__":
    main()
