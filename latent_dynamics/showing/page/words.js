// Numbers as they are read: with a real minus, and without a minus zero.

export const inDegrees = (radians) => (radians * 180) / Math.PI;

export const inRadians = (degrees) => (degrees * Math.PI) / 180;

export const inWords = (value, digits = 1) => value.toFixed(digits).replace("-", "\u2212").replace(/^\u2212(0\.?0*)$/, "$1");

/** The same with a sign, whichever it has. */
export const signed = (value, digits) => inWords(value, digits).replace(/^(?!\u2212)/, "+");

/** The angle of a pole, in degrees, if there is one. */
export const poleInWords = (angle) => (Number.isFinite(angle) ? inWords(angle) : "no pole");
