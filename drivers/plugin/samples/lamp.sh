#!/bin/sh
# A Hearth driver in POSIX shell: one dimmable lamp that exists only in this program. The gateway writes its JSON without
# spaces and always in the same order, so that a shell can take it apart.

report() { echo "{\"report\":[{\"device\":\"lamp\",\"property\":\"$1\",\"value\":$2}]}"; }

while read -r line; do
	case $line in
	'{"hello":'*)
		echo '{"announce":{"id":"lamp","name":"Sample lamp","type":"light","model":"Shell","properties":[' \
			'{"name":"on","writable":true},{"name":"brightness","writable":true,"min":1,"max":100}]}}'
		report on false
		report brightness 100
		;;
	'{"do":'*)
		n=${line#*\"n\":} n=${n%%[!0-9]*}
		set=${line#*\"set\":\{} set=${set%%\}*}
		echo "{\"done\":{\"n\":$n}}"
		for name in on brightness; do
			case $set in
			*"\"$name\":"*)
				value=${set#*\"$name\":}
				report $name "${value%%,*}"
				;;
			esac
		done
		;;
	'{"stop":'*) exit 0 ;;
	esac
done
