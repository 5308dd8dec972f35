//! The tags, message types and values of FIX 4.4 that are used here, by their names in the standard.

pub(crate) const ACCOUNT: u32 = 1;
pub(crate) const AVG_PX: u32 = 6;
pub(crate) const BEGIN_SEQ_NO: u32 = 7;
pub(crate) const CL_ORD_ID: u32 = 11;
pub(crate) const CUM_QTY: u32 = 14;
pub(crate) const CURRENCY: u32 = 15;
pub(crate) const END_SEQ_NO: u32 = 16;
pub(crate) const EXEC_ID: u32 = 17;
pub(crate) const HANDL_INST: u32 = 21;
pub(crate) const LAST_PX: u32 = 31;
pub(crate) const LAST_QTY: u32 = 32;
pub(crate) const MSG_SEQ_NUM: u32 = 34;
pub(crate) const MSG_TYPE: u32 = 35;
pub(crate) const NEW_SEQ_NO: u32 = 36;
pub(crate) const ORDER_ID: u32 = 37;
pub(crate) const ORDER_QTY: u32 = 38;
pub(crate) const ORD_STATUS: u32 = 39;
pub(crate) const ORD_TYPE: u32 = 40;
pub(crate) const ORIG_CL_ORD_ID: u32 = 41;
pub(crate) const POSS_DUP_FLAG: u32 = 43;
pub(crate) const PRICE: u32 = 44;
pub(crate) const REF_SEQ_NUM: u32 = 45;
pub(crate) const SENDER_COMP_ID: u32 = 49;
pub(crate) const SENDING_TIME: u32 = 52;
pub(crate) const SIDE: u32 = 54;
pub(crate) const SYMBOL: u32 = 55;
pub(crate) const TARGET_COMP_ID: u32 = 56;
pub(crate) const TEXT: u32 = 58;
pub(crate) const TIME_IN_FORCE: u32 = 59;
pub(crate) const TRANSACT_TIME: u32 = 60;
pub(crate) const POSS_RESEND: u32 = 97;
pub(crate) const ENCRYPT_METHOD: u32 = 98;
pub(crate) const STOP_PX: u32 = 99;
pub(crate) const EX_DESTINATION: u32 = 100;
pub(crate) const CXL_REJ_REASON: u32 = 102;
pub(crate) const ORD_REJ_REASON: u32 = 103;
pub(crate) const HEART_BT_INT: u32 = 108;
pub(crate) const TEST_REQ_ID: u32 = 112;
pub(crate) const ORIG_SENDING_TIME: u32 = 122;
pub(crate) const GAP_FILL_FLAG: u32 = 123;
pub(crate) const RESET_SEQ_NUM_FLAG: u32 = 141;
pub(crate) const EXEC_TYPE: u32 = 150;
pub(crate) const LEAVES_QTY: u32 = 151;
pub(crate) const SECURITY_EXCHANGE: u32 = 207;
pub(crate) const REF_TAG_ID: u32 = 371;
pub(crate) const REF_MSG_TYPE: u32 = 372;
pub(crate) const SESSION_REJECT_REASON: u32 = 373;
pub(crate) const EXEC_RESTATEMENT_REASON: u32 = 378;
pub(crate) const BUSINESS_REJECT_REF_ID: u32 = 379;
pub(crate) const BUSINESS_REJECT_REASON: u32 = 380;
pub(crate) const CXL_REJ_RESPONSE_TO: u32 = 434;
pub(crate) const MASS_CANCEL_REQUEST_TYPE: u32 = 530;
pub(crate) const MASS_CANCEL_RESPONSE: u32 = 531;
pub(crate) const MASS_CANCEL_REJECT_REASON: u32 = 532;
pub(crate) const TOTAL_AFFECTED_ORDERS: u32 = 533;

/// What stands in the header of any message, beside what each message has.
pub(crate) const HEADER: [u32; 8] = [
    MSG_TYPE,
    MSG_SEQ_NUM,
    POSS_DUP_FLAG,
    SENDER_COMP_ID,
    SENDING_TIME,
    TARGET_COMP_ID,
    POSS_RESEND,
    ORIG_SENDING_TIME,
];

pub(crate) const HEARTBEAT: &str = "0";
pub(crate) const TEST_REQUEST: &str = "1";
pub(crate) const RESEND_REQUEST: &str = "2";
pub(crate) const REJECT: &str = "3";
pub(crate) const SEQUENCE_RESET: &str = "4";
pub(crate) const LOGOUT: &str = "5";
pub(crate) const EXECUTION_REPORT: &str = "8";
pub(crate) const ORDER_CANCEL_REJECT: &str = "9";
pub(crate) const LOGON: &str = "A";
pub(crate) const NEW_ORDER_SINGLE: &str = "D";
pub(crate) const ORDER_CANCEL_REQUEST: &str = "F";
pub(crate) const ORDER_CANCEL_REPLACE_REQUEST: &str = "G";
pub(crate) const ORDER_STATUS_REQUEST: &str = "H";
pub(crate) const BUSINESS_MESSAGE_REJECT: &str = "j";
pub(crate) const ORDER_MASS_CANCEL_REQUEST: &str = "q";
pub(crate) const ORDER_MASS_CANCEL_REPORT: &str = "r";
