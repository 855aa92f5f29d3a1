package homekit

import "math"

// Colours: hue and saturation are those of sRGB at full value, x and y those of CIE 1931, white is D65. What a lamp can
// really show is its own affair.

type xy struct{ x, y float64 }

func (a xy) distance(b xy) float64 { return math.Hypot(a.x-b.x, a.y-b.y) }

// xyOf returns the chromaticity of a hue (degrees) and a saturation (percent).
func xyOf(hue, saturation float64) xy {
	r, g, b := rgbOf(hue, saturation)
	r, g, b = linear(r), linear(g), linear(b)
	X := 0.4123908*r + 0.3575843*g + 0.1804808*b
	Y := 0.2126390*r + 0.7151687*g + 0.0721923*b
	Z := 0.0193308*r + 0.1191948*g + 0.9505322*b
	return xy{X / (X + Y + Z), Y / (X + Y + Z)}
}

// hueOf is the way back; what lies outside of sRGB becomes the nearest saturated colour.
func hueOf(c xy) (hue, saturation float64) {
	if c.y < 1e-6 {
		return 0, 0
	}
	X, Y, Z := c.x/c.y, 1.0, (1-c.x-c.y)/c.y
	r := 3.2409699*X - 1.5373832*Y - 0.4986108*Z
	g := -0.9692436*X + 1.8759675*Y + 0.0415551*Z
	b := 0.0556301*X - 0.2039770*Y + 1.0569715*Z
	r, g, b = max(r, 0), max(g, 0), max(b, 0)
	most := max(r, g, b)
	if most <= 0 {
		return 0, 0
	}
	r, g, b = gamma(r/most), gamma(g/most), gamma(b/most)
	least := min(r, g, b)
	span := 1 - least // the greatest is 1
	if span < 1e-9 {
		return 0, 0
	}
	switch {
	case r >= g && r >= b:
		hue = math.Mod((g-b)/span+6, 6)
	case g >= b:
		hue = (b-r)/span + 2
	default:
		hue = (r-g)/span + 4
	}
	return 60 * hue, 100 * span
}

func rgbOf(hue, saturation float64) (r, g, b float64) {
	s := saturation / 100
	part := func(n float64) float64 {
		k := math.Mod(n+hue/60, 6)
		return 1 - s*max(0, min(k, 4-k, 1))
	}
	return part(5), part(3), part(1)
}

func linear(v float64) float64 {
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

func gamma(v float64) float64 {
	if v <= 0.0031308 {
		return 12.92 * v
	}
	return 1.055*math.Pow(v, 1/2.4) - 0.055
}

// whiteOf is where a colour temperature lies: the Planckian locus after Kim et al., good from 1667 to 25000 K.
func whiteOf(kelvin float64) xy {
	t := min(max(kelvin, 1667), 25000)
	k := 1000 / t
	x := -0.2661239*k*k*k - 0.2343589*k*k + 0.8776956*k + 0.179910
	if t > 4000 {
		x = -3.0258469*k*k*k + 2.1070379*k*k + 0.2226347*k + 0.240390
	}
	var y float64
	switch {
	case t < 2222:
		y = -1.1063814*x*x*x - 1.34811020*x*x + 2.18555832*x - 0.20219683
	case t <= 4000:
		y = -0.9549476*x*x*x - 1.37418593*x*x + 2.09137015*x - 0.16748867
	default:
		y = 3.0817580*x*x*x - 5.87338670*x*x + 3.75112997*x - 0.37001483
	}
	return xy{x, y}
}

// kelvinOf is the nearest colour temperature, after McCamy.
func kelvinOf(c xy) float64 {
	if c.y == 0.1858 {
		return 6500
	}
	n := (c.x - 0.3320) / (0.1858 - c.y)
	return min(max(449*n*n*n+3525*n*n+6823.3*n+5520.33, 1000), 20000)
}
