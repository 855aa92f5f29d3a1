package homeassistant

import "strings"

// Bridges on small chips shorten the keys of what they announce. The list is the one that Home Assistant publishes for
// MQTT discovery; most of it is regular, a shortened subject and a shortened ending.

// subjects are the first halves.
const subjects = `act=action aux=aux away_mode=away_mode avty=availability b=blue bri=brightness bri_val=brightness_value bat_lev=battery_level
chrg=charging cln=cleaning clr_temp=color_temp clrm=color_mode clrm_val=color_mode_value curr_hum=current_humidity curr_temp=current_temperature dir=direction
dock=docked err=error fan_mode=fan_mode fanspd=fan_speed fx=effect g=green hold=hold hs=hs hum=target_humidity img=image json_attr=json_attributes
l_ver=latest_version lrst=last_reset lrst_val=last_reset_value mode=mode osc=oscillation pct=percentage pos=position pow=power pr_mode=preset_mode r=red
rgb=rgb rgbw=rgbw rgbww=rgbww send=send set_pos=set_position set_fan_spd=set_fan_speed spd=speed swing_mode=swing_mode swing_h_mode=swing_horizontal_mode
temp=temperature temp_hi=temperature_high temp_lo=temperature_low tilt=tilt tilt_status=tilt_status url=url val=value whit=white whit_val=white_value xy=xy`

// endings are the second halves; alone they are keys too.
const endings = `t=topic tpl=template cmd_t=command_topic cmd_tpl=command_template stat_t=state_topic stat_tpl=state_template state_tpl=state_template
val_tpl=value_template stat_val_tpl=state_value_template`

// others are what is left.
const others = `~=~ atype=automation_type av_tones=available_tones avty=availability avty_mode=availability_mode bri_scl=brightness_scale clr_temp_k=color_temp_kelvin
clrm=color_mode cmd_off_tpl=command_off_template cmd_on_tpl=command_on_template cmps=components cod_arm_req=code_arm_required cod_dis_req=code_disarm_required
cod_form=code_format cod_trig_req=code_trigger_required cont_type=content_type def_ent_id=default_entity_id dev=device dev_cla=device_class
dsp_prc=display_precision e=encoding en=enabled_by_default ent_cat=entity_category ent_pic=entity_picture evt_typ=event_types exp_aft=expire_after
fanspd_lst=fan_speed_list flsh=flash flsh_tlng=flash_time_long flsh_tsht=flash_time_short frc_upd=force_update fx_list=effect_list grp=group ic=icon
img_e=image_encoding init=initial json_attr=json_attributes max_hum=max_humidity max_k=max_kelvin max_mirs=max_mireds migr_discvry=migrate_discovery
min_hum=min_humidity min_k=min_kelvin min_mirs=min_mireds o=origin obj_id=object_id off_dly=off_delay on_cmd_type=on_command_type ops=options opt=optimistic
p=platform pl=payload pl_arm_away=payload_arm_away pl_arm_custom_b=payload_arm_custom_bypass pl_arm_home=payload_arm_home pl_arm_nite=payload_arm_night
pl_arm_vacation=payload_arm_vacation pl_avail=payload_available pl_cln_sp=payload_clean_spot pl_cls=payload_close pl_dir_fwd=payload_direction_forward
pl_dir_rev=payload_direction_reverse pl_disarm=payload_disarm pl_hi_spd=payload_high_speed pl_home=payload_home pl_inst=payload_install pl_loc=payload_locate
pl_lock=payload_lock pl_lo_spd=payload_low_speed pl_med_spd=payload_medium_speed pl_not_avail=payload_not_available pl_not_home=payload_not_home
pl_off=payload_off pl_off_spd=payload_off_speed pl_on=payload_on pl_open=payload_open pl_osc_off=payload_oscillation_off pl_osc_on=payload_oscillation_on
pl_paus=payload_pause pl_prs=payload_press pl_ret=payload_return_to_base pl_rst=payload_reset pl_rst_hum=payload_reset_humidity pl_rst_mode=payload_reset_mode
pl_rst_pct=payload_reset_percentage pl_rst_pr_mode=payload_reset_preset_mode pl_stop=payload_stop pl_stop_tilt=payload_stop_tilt pl_stpa=payload_start_pause
pl_strt=payload_start pl_toff=payload_turn_off pl_ton=payload_turn_on pl_trig=payload_trigger pl_unlk=payload_unlock pos=reports_position
pos_clsd=position_closed pos_open=position_open pr_modes=preset_modes ptrn=pattern rel_s=release_summary rel_u=release_url ret=retain
spd_rng_max=speed_range_max spd_rng_min=speed_range_min spds=speeds src_type=source_type stat_cla=state_class stat_closing=state_closing stat_clsd=state_closed
stat_jam=state_jammed stat_locked=state_locked stat_locking=state_locking stat_off=state_off stat_on=state_on stat_open=state_open stat_opening=state_opening
stat_stopped=state_stopped stat_unlocked=state_unlocked stat_unlocking=state_unlocking stype=subtype sug_dsp_prc=suggested_display_precision
sup_clrm=supported_color_modes sup_dur=support_duration sup_feat=supported_features sup_vol=support_volume_set temp_unit=temperature_unit
tilt_clsd_val=tilt_closed_value tilt_inv_stat=tilt_invert_state tilt_opnd_val=tilt_opened_value tilt_opt=tilt_optimistic tit=title trns=transition
uniq_id=unique_id unit_of_meas=unit_of_measurement whit_scl=white_scale whit_val_scl=white_value_scale`

// deviceKeys and originKeys are short for what describes the device, and what announces it.
const (
	deviceKeys = `cns=connections cu=configuration_url hw=hw_version ids=identifiers mf=manufacturer mdl=model mdl_id=model_id sa=suggested_area sn=serial_number sw=sw_version`
	originKeys = `sw=sw_version url=support_url`
)

// abbreviations are the three tables, for a Dialect to keep.
type abbreviations struct {
	entity, device, origin map[string]string
}

func newAbbreviations() abbreviations {
	entity := table(endings)
	for short, long := range table(subjects) {
		for ending, words := range table(endings) {
			entity[short+"_"+ending] = long + "_" + words
		}
	}
	for short, long := range table(others) {
		entity[short] = long
	}
	return abbreviations{entity: entity, device: table(deviceKeys), origin: table(originKeys)}
}

func table(list string) map[string]string {
	t := map[string]string{}
	for _, row := range strings.Fields(list) {
		short, long, _ := strings.Cut(row, "=")
		t[short] = long
	}
	return t
}

// expand writes the keys of m out. A key that is there in full wins over its short form.
func expand(m map[string]any, keys map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for key, value := range m {
		if long, ok := keys[key]; ok {
			if _, both := m[long]; both && long != key {
				continue
			}
			key = long
		}
		out[key] = value
	}
	return out
}
