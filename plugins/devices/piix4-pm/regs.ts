/** PIIX4 function 3: Intel 290562, chapters 7 and 8; event and control registers as ACPI 1.0, section 4.7. */

// Configuration space.
export const PMBA = 0x40;
/** DEVACTB; bit 25 is APMC_EN. */
export const DEVACTB = 0x58;
export const PMREGMISC = 0x80;
export const SMBBA = 0x90;
export const SMBHSTCFG = 0xd2;

export const PMIOSE = 0b1;
export const SMB_HST_EN = 0b1;
/** APMC_EN, in DEVACTB's top byte. */
export const APMC_EN = 0b10;

// Power management I/O space, relative to PMBA.
export const PMSTS = 0x00;
export const PMEN = 0x02;
export const PMCNTRL = 0x04;
export const PMTMR = 0x08;

export const TMROF_STS = 0x0001;
export const GBL_STS = 0x0020;
export const PWRBTN_STS = 0x0100;
export const SLPBTN_STS = 0x0200;
export const RTC_STS = 0x0400;
export const WAK_STS = 0x8000;
/** Status bits that exist and are cleared by writing ones. */
export const STS_BITS = TMROF_STS | 0x0010 | GBL_STS | PWRBTN_STS | SLPBTN_STS | RTC_STS | WAK_STS;
export const EN_BITS = TMROF_STS | GBL_STS | PWRBTN_STS | SLPBTN_STS | RTC_STS;

export const SCI_EN = 0x0001;
export const SUS_TYP_SHIFT = 10;
export const SUS_EN = 0x2000;
/** PMCNTRL bits that can be read back: SCI_EN, BRLD_EN_BM, SUS_TYP. */
export const CNTRL_BITS = 0x1c03;

// APM command port values, as the FADT gives them.
export const ACPI_ENABLE = 0xf1;
export const ACPI_DISABLE = 0xf0;

// SMBus host controller, relative to SMBBA.
export const SMBHSTSTS = 0x0;
export const SMBHSTCNT = 0x2;
export const SMBBLKDAT = 0x7;
export const SMBHSTSTS_DEV_ERR = 0b0_0100;
export const SMBHSTSTS_BITS = 0b1_1110;
export const SMBHSTCNT_START = 0b0100_0000;
