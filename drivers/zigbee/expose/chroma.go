package expose

import "math"

// A chroma is a colour without its brightness, in the two ways in which the house and lamps tell it: a point in CIE 1931,
// and hue in degrees with saturation in percent, of sRGB. The two always mean the same.
type chroma struct {
	x, y            float64
	hue, saturation float64
}

// chromaAt returns the colour at a point. What sRGB cannot show becomes the nearest hue that it can.
func chromaAt(x, y float64) chroma {
	r, g, b := linearRGB(x, y)
	hue, saturation := hueOf(gamma(r), gamma(g), gamma(b))
	return chroma{x, y, hue, saturation}
}

// chromaOf returns the colour of that hue and saturation.
func chromaOf(hue, saturation float64) chroma {
	r, g, b := rgbOf(hue, saturation)
	r, g, b = linear(r), linear(g), linear(b)
	// sRGB's primaries and D65.
	x := 0.4124564*r + 0.3575761*g + 0.1804375*b
	y := 0.2126729*r + 0.7151522*g + 0.0721750*b
	z := 0.0193339*r + 0.1191920*g + 0.9503041*b
	sum := x + y + z
	return chroma{x / sum, y / sum, hue, saturation}
}

// white returns the colour of a black body at that many kelvin, by the spline of Kim and others (2002).
func white(kelvin float64) chroma {
	t := 1000 / math.Min(math.Max(kelvin, 1667), 25000)
	var x, y float64
	if t >= 0.25 { // up to 4000 K
		x = ((-0.2661239*t-0.2343589)*t+0.8776956)*t + 0.179910
	} else {
		x = ((-3.0258469*t+2.1070379)*t+0.2226347)*t + 0.240390
	}
	switch {
	case t >= 1/2.222:
		y = ((-1.1063814*x-1.34811020)*x+2.18555832)*x - 0.20219683
	case t >= 0.25:
		y = ((-0.9549476*x-1.37418593)*x+2.09137015)*x - 0.16748867
	default:
		y = ((3.0817580*x-5.87338670)*x+3.75112997)*x - 0.37001483
	}
	return chromaAt(x, y)
}

// near reports whether nobody would tell the two from each other.
func (c chroma) near(other chroma) bool {
	const tolerance = 0.004
	return math.Abs(c.x-other.x) < tolerance && math.Abs(c.y-other.y) < tolerance
}

// linearRGB returns the colour at a point with its strongest part at 1.
func linearRGB(x, y float64) (r, g, b float64) {
	if y <= 0 {
		y = 1e-6
	}
	bigX, bigZ := x/y, (1-x-y)/y
	r = max(3.2404542*bigX-1.5371385-0.4985314*bigZ, 0)
	g = max(-0.9692660*bigX+1.8760108+0.0415560*bigZ, 0)
	b = max(0.0556434*bigX-0.2040259+1.0572252*bigZ, 0)
	top := max(r, g, b)
	if top == 0 {
		return 1, 1, 1
	}
	return r / top, g / top, b / top
}

func gamma(c float64) float64 {
	if c <= 0.0031308 {
		return 12.92 * c
	}
	return 1.055*math.Pow(c, 1/2.4) - 0.055
}

func linear(c float64) float64 {
	if c <= 0.04045 {
		return c / 12.92
	}
	return math.Pow((c+0.055)/1.055, 2.4)
}

func hueOf(r, g, b float64) (hue, saturation float64) {
	top, bottom := max(r, g, b), min(r, g, b)
	span := top - bottom
	switch {
	case top == 0 || span == 0:
		return 0, 0
	case top == r:
		hue = math.Mod((g-b)/span+6, 6)
	case top == g:
		hue = (b-r)/span + 2
	default:
		hue = (r-g)/span + 4
	}
	return hue * 60, span / top * 100
}

func rgbOf(hue, saturation float64) (r, g, b float64) {
	part := func(n float64) float64 {
		k := math.Mod(n+hue/60, 6)
		return 1 - saturation/100*max(0, min(k, 4-k, 1))
	}
	return part(5), part(3), part(1)
}
