"""The codings of bodies (Content-Encoding), made and undone by others than the daemon's own calls:
Python's gzip and zlib, and libzstd by its simple functions."""

import ctypes
import ctypes.util
import gzip
import zlib

_ZSTD = ctypes.CDLL("libzstd.so.1")
for _name in ("ZSTD_compress", "ZSTD_compressBound", "ZSTD_compress2", "ZSTD_decompress"):
    getattr(_ZSTD, _name).restype = ctypes.c_size_t
_ZSTD.ZSTD_createCCtx.restype = ctypes.c_void_p
CHECKSUM, WINDOW_LOG = 201, 101  # ZSTD_c_checksumFlag, ZSTD_c_windowLog


def zstd(data, level=3, checksum=True, window_log=0):
    """One frame."""
    context = ctypes.c_void_p(_ZSTD.ZSTD_createCCtx())
    for parameter, value in ((100, level), (CHECKSUM, int(checksum)), (WINDOW_LOG, window_log)):
        _ZSTD.ZSTD_CCtx_setParameter(context, parameter, value)
    room = _ZSTD.ZSTD_compressBound(ctypes.c_size_t(len(data)))
    out = ctypes.create_string_buffer(room)
    size = _ZSTD.ZSTD_compress2(context, out, ctypes.c_size_t(room), data,
                                ctypes.c_size_t(len(data)))
    _ZSTD.ZSTD_freeCCtx(context)
    if size > room:
        raise ValueError("libzstd refused")
    return out.raw[:size]


def unzstd(data, most=1 << 23):
    """What one frame or several hold."""
    out = ctypes.create_string_buffer(most)
    size = _ZSTD.ZSTD_decompress(out, ctypes.c_size_t(most), data, ctypes.c_size_t(len(data)))
    if size > most:
        raise ValueError("not zstd")
    return out.raw[:size]


def gzipped(data, level=6):
    """One member, without a time in it."""
    return gzip.compress(data, level, mtime=0)


ENCODE = {"gzip": gzipped, "deflate": zlib.compress, "zstd": zstd}
DECODE = {"gzip": gzip.decompress, "deflate": zlib.decompress, "zstd": unzstd}
