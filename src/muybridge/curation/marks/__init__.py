"""Where watermarks, logos and borders lie in a clip, and the crop that is rid of them."""
