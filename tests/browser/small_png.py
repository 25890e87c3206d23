"""Screenshots small enough to be kept: the browser finds the few colours of one, and we write it with those."""

from __future__ import annotations

import base64
import struct
import zlib

from selenium import webdriver

_REDUCE = """
const [encoded, done] = arguments
const bytes = Uint8Array.from(atob(encoded), each => each.charCodeAt(0))
createImageBitmap(new Blob([bytes])).then(image => {
  const canvas = new OffscreenCanvas(image.width, image.height), context = canvas.getContext("2d")
  context.drawImage(image, 0, 0)
  const { data } = context.getImageData(0, 0, image.width, image.height)
  const colours = new Int32Array(data.length / 4), often = new Map()
  for (let at = 0; at < colours.length; at++) {
    colours[at] = data[4 * at] << 16 | data[4 * at + 1] << 8 | data[4 * at + 2]
    often.set(colours[at], (often.get(colours[at]) ?? 0) + 1)
  }
  const palette = [...often].sort((one, other) => other[1] - one[1]).slice(0, 128).map(each => each[0])
  const far = (one, other) => [0, 8, 16].reduce((sum, by) => sum + ((one >> by & 255) - (other >> by & 255)) ** 2, 0)
  const place = new Map()
  for (const colour of often.keys()) {
    let best = 0
    palette.forEach((each, index) => { if (far(each, colour) < far(palette[best], colour)) best = index })
    place.set(colour, best)
  }
  let text = ""
  for (const colour of colours) text += String.fromCharCode(place.get(colour))
  done([image.width, image.height, palette, btoa(text)])
})
"""


def reduced(browser: webdriver.Chrome, png: str) -> bytes:
    """A PNG in base64 with the 128 colours that it has most of; every other one becomes the nearest of them."""
    width, height, colours, encoded = browser.execute_async_script(_REDUCE, png)
    pixels = base64.b64decode(encoded)
    palette = b"".join(bytes(colour >> by & 255 for by in (16, 8, 0)) for colour in colours)
    rows = b"".join(b"\0" + pixels[at : at + width] for at in range(0, len(pixels), width))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )
