#!/usr/bin/env python3
"""Compiles proto/ into ./stubs, where the other scripts look for it. Run it again when proto/ has changed."""
import argparse
import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--proto", type=pathlib.Path, default=HERE.parents[1] / "proto", help="the folder with radslag/ (default: %(default)s)")
    proto = arguments.parse_args().proto.resolve()
    files = sorted(str(file.relative_to(proto)) for file in proto.glob("radslag/**/*.proto"))
    if not files:
        sys.exit(f"error: there is no radslag/**/*.proto under {proto}\n\nhint: say with --proto where the checkout's proto folder is")
    try:
        from grpc_tools import protoc
    except ImportError:
        sys.exit("error: the package grpcio-tools is not installed\n\nhint: pip install -r requirements.txt")
    import grpc_tools

    stubs = HERE / "stubs"
    # What an earlier proto/ had must not be found any more.
    shutil.rmtree(stubs, ignore_errors=True)
    stubs.mkdir()
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    command = ["protoc", f"-I{proto}", f"-I{well_known}", f"--python_out={stubs}", f"--grpc_python_out={stubs}", *files]
    if protoc.main(command) != 0:
        sys.exit("error: proto/ does not compile; what is above says where")
    print(f"{len(files)} files of {proto} are in {stubs}")


if __name__ == "__main__":
    main()
