/** Features that are colour together, and how to show them on a screen. */
import { COLOURS } from './quantities.mjs';

/** Colour strips: the features that a strip needs, and a function of their values that returns sRGB, 0 to 255. */
export const STRIPS = [
  { title: 'colour', of: COLOURS, unit: 'R, G, B', rgb: (r, g, b) => [r, g, b] },
  { title: 'colour', of: ['L*', 'a*', 'b*'], unit: 'L*a*b*', rgb: labToRgb },
];

/**
 * Convert a CIELAB colour (illuminant D65, 2° observer) to sRGB (IEC 61966-2-1). A colour outside sRGB is clipped.
 * @returns {[number, number, number]} 0 to 255, not rounded.
 */
export function labToRgb(lightness, a, b) {
  const cubed = (t) => (t > 6 / 29 ? t ** 3 : 3 * (6 / 29) ** 2 * (t - 4 / 29));
  const y = (lightness + 16) / 116;
  const [X, Y, Z] = [0.95047 * cubed(y + a / 500), cubed(y), 1.08883 * cubed(y - b / 200)];
  const linear = [
    3.2404542 * X - 1.5371385 * Y - 0.4985314 * Z,
    -0.969266 * X + 1.8760108 * Y + 0.041556 * Z,
    0.0556434 * X - 0.2040259 * Y + 1.0572252 * Z,
  ];
  const encoded = linear.map((c) => (c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055));
  return encoded.map((c) => 255 * Math.min(1, Math.max(0, c)));
}
