package serial

// known lists USB devices that are serial ports, the particular before the general: many sticks carry the same
// converter chip and differ only in what they say of themselves.
func known() []usbDevice {
	zigbee := []string{"zigbee"}
	const znp, ezsp = "znp", "ezsp"
	return []usbDevice{
		{0x10c4, 0xea60, "sonoff plus v2", "Sonoff Zigbee dongle E", zigbee, ezsp},
		{0x1a86, 0x55d4, "sonoff plus", "Sonoff Zigbee dongle E", zigbee, ezsp},
		{0x10c4, 0xea60, "sonoff plus", "Sonoff Zigbee dongle P", zigbee, znp},
		{0x10c4, 0xea60, "sonoff max", "Sonoff Zigbee dongle Max", zigbee, ezsp},
		{0x10c4, 0xea60, "skyconnect", "Home Assistant SkyConnect", zigbee, ezsp},
		{0x10c4, 0xea60, "connect zbt 1", "Home Assistant Connect ZBT-1", zigbee, ezsp},
		{0x303a, 0, "zbt 2", "Home Assistant Connect ZBT-2", zigbee, ezsp},
		{0x10c4, 0xea60, "slzb 07p7", "SMLIGHT SLZB-07p7", zigbee, znp},
		{0x10c4, 0xea60, "slzb 06p7", "SMLIGHT SLZB-06p7", zigbee, znp},
		{0x10c4, 0xea60, "slzb 06p10", "SMLIGHT SLZB-06p10", zigbee, znp},
		{0x10c4, 0xea60, "slzb 06m", "SMLIGHT SLZB-06M", zigbee, ezsp},
		{0x10c4, 0xea60, "slzb 06", "SMLIGHT SLZB-06", zigbee, znp},
		{0x10c4, 0xea60, "slzb 07", "SMLIGHT SLZB-07", zigbee, ezsp},
		{0x10c4, 0xea60, "cc2652", "stick with a TI CC2652", zigbee, znp},
		{0x10c4, 0xea60, "tubeszb", "TubesZB", zigbee, znp},
		{0x1a86, 0x7523, "tubeszb", "TubesZB", zigbee, znp},
		{0x1a86, 0x7523, "zigstar", "ZigStar", zigbee, znp},
		{0x0403, 0x6015, "electrolama", "Electrolama zzh", zigbee, znp},
		{0x10c4, 0x8a2a, "zigbee", "Nortek HUSBZB-1 (its second port is the Zigbee one)", zigbee, ezsp},
		{0x0451, 0x16a8, "", "TI CC2531 (old; up to some twenty devices)", zigbee, znp},
		{0x0451, 0x16c8, "", "TI CC2538", zigbee, znp},
		{0x0451, 0xbef3, "", "TI LaunchPad (its first port is the radio)", zigbee, znp},
		{0x1cf1, 0x0030, "", "ConBee II (its deCONZ protocol is not spoken here)", nil, ""},
		{0x0403, 0x6015, "conbee", "ConBee III (its deCONZ protocol is not spoken here)", nil, ""},

		{0x0403, 0x6001, "p1", "P1 cable for a smart meter", []string{"dsmr"}, ""},
		{0x0403, 0x6015, "p1", "P1 cable for a smart meter", []string{"dsmr"}, ""},
		{0x10c4, 0xea60, "p1", "P1 cable for a smart meter", []string{"dsmr"}, ""},
		{0x0403, 0x6001, "rs485", "RS485 adapter", []string{"modbus", "text"}, ""},
		{0x0403, 0x6011, "rs485", "RS485 adapter", []string{"modbus", "text"}, ""},
		{0x1a86, 0x55d3, "rs485", "RS485 adapter", []string{"modbus", "text"}, ""},

		{0x0403, 0x6001, "", "USB-serial converter (FTDI FT232R; also in RS485 adapters and P1 cables)", converter(), ""},
		{0x0403, 0x6010, "", "USB-serial converter (FTDI, two ports)", converter(), ""},
		{0x0403, 0x6011, "", "USB-serial converter (FTDI, four ports)", converter(), ""},
		{0x0403, 0x6014, "", "USB-serial converter (FTDI FT232H)", converter(), ""},
		{0x0403, 0x6015, "", "USB-serial converter (FTDI FT-X)", converter(), ""},
		{0x1a86, 0x7523, "", "USB-serial converter (CH340; also in cheap RS485 adapters)", converter(), ""},
		{0x1a86, 0x5523, "", "USB-serial converter (CH341)", converter(), ""},
		{0x1a86, 0x55d3, "", "USB-serial converter (CH343; also in RS485 adapters)", converter(), ""},
		{0x1a86, 0x55d4, "", "USB-serial converter (CH9102; also in Zigbee sticks)", append(converter(), "zigbee"), ""},
		{0x10c4, 0xea60, "", "USB-serial converter (CP210x; also in Zigbee sticks)", append(converter(), "zigbee"), ""},
		{0x10c4, 0xea70, "", "USB-serial converter (CP2105, two ports)", converter(), ""},
		{0x10c4, 0xea71, "", "USB-serial converter (CP2108, four ports)", converter(), ""},
		{0x067b, 0, "", "USB-serial converter (Prolific; also in P1 cables)", converter(), ""},
	}
}

type usbDevice struct {
	vendor, product uint16 // product 0: any
	says            string // words that must all be in its manufacturer, description or name; spaces for - and _
	what            string
	drivers         []string
	adapter         string
}

// converter lists what may stand behind a bare converter.
func converter() []string { return []string{"modbus", "dsmr", "text"} }
