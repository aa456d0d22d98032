/** The names of keys, QEMU's QKeyCode, that `sendkey` and input backends use. */

const letters = [..."abcdefghijklmnopqrstuvwxyz"];
const digits = [..."0123456789"];

export const KEY_CODES: ReadonlySet<string> = new Set(
  [
    ...letters,
    ...digits,
    ...Array.from({ length: 24 }, (_, i) => `f${i + 1}`),
    ...digits.map((digit) => `kp_${digit}`),
    "kp_divide kp_multiply kp_subtract kp_add kp_enter kp_decimal kp_equals kp_comma",
    "shift shift_r alt alt_r altgr altgr_r ctrl ctrl_r meta_l meta_r menu compose",
    "esc minus equal backspace tab bracket_left bracket_right ret semicolon apostrophe grave_accent backslash",
    "comma dot slash spc asterisk caps_lock num_lock scroll_lock sysrq less print pause",
    "home end pgup pgdn left right up down insert delete",
    "stop again props undo front copy open paste find cut lf help",
    "ro hiragana henkan yen katakanahiragana muhenkan lang1 lang2",
    "power sleep wake audionext audioprev audiostop audioplay audiomute volumeup volumedown mediaselect mail calculator",
    "computer ac_home ac_back ac_forward ac_refresh ac_bookmarks",
  ].flatMap((names) => names.split(" ")),
);
