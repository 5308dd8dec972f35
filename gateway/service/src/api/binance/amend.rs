//! `PUT /api/v3/order/amend/keepPriority`: less of an open order, under the same names. Here it is a cancel and a new order ([`crate::api::amend`]), so the
//! priority is not kept.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    http::Uri,
    response::{IntoResponse, Response},
};
use extensions::Decimal;
use gateway_policy::{Code, OpenOrder};
use serde_json::{Value, json};

use super::{
    cancels::open_order,
    order::{decimal, plain_symbol},
    parameters::{Fault, Parameters},
    place::read,
    refusal::Refused,
    shown,
};
use crate::{
    api::{
        Side,
        amend::{Amended, Changes, amend},
        chain,
    },
    pipeline::traded::Traded,
    session::Session,
};

struct Asked {
    symbol: String,
    id: Option<String>,
    number: Option<String>,
    quantity: Decimal,
}

impl Asked {
    fn read(parameters: &Parameters) -> Result<Self, Fault> {
        let invalid = |detail: &str| (Code::OrderInvalid, detail.to_owned());
        // The order keeps its names; another `newClientOrderId` would be a second one.
        parameters.only(&["symbol", "orderId", "origClientOrderId", "newQty"])?;
        let owned = |name| parameters.text(name).map(str::to_owned);
        let (id, number) = (owned("origClientOrderId"), owned("orderId"));
        if id.is_none() && number.is_none() {
            return Err(invalid("orderId or origClientOrderId is missing"));
        }
        let quantity = decimal(parameters.needed("newQty")?);
        Ok(Self {
            symbol: plain_symbol(parameters.needed("symbol")?),
            id,
            number,
            quantity: quantity.ok_or_else(|| invalid("newQty is no decimal that can be held exactly"))?,
        })
    }
}

/// `PUT /api/v3/order/amend/keepPriority`.
pub(super) async fn keep_priority(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    uri: Uri,
    body: Body,
) -> Response {
    let amended = async {
        let (_, asked) = read(&bots, &session, &uri, body, Asked::read).await?;
        let (id, number) = (asked.id.as_deref(), asked.number.as_deref());
        let open = open_order(&bots, &session, id, number, Some(&asked.symbol)).await?;
        let (whole, traded) = chain::open(&session.slot.lock(), &open);
        if asked.quantity > whole.order.quantity {
            let detail = "newQty has to be less than the order's quantity; for more of it send another order";
            return Err(Refused::of(Code::OrderInvalid).because(detail));
        }
        let changes = Changes {
            quantity: Some(asked.quantity),
            ..Changes::default()
        };
        match amend(&bots, &session, open, changes, chain::next).await? {
            Amended::Same(_) => Ok(answer(&bots, &shown::open(&whole, &traded), &whole)),
            Amended::Done(story) => {
                let of = Traded::of(&story.fills);
                let (story, traded) = chain::story(&session.slot.lock(), &story, &of);
                Ok(answer(&bots, &shown::story(&story, &traded), &whole))
            }
            Amended::Half(refused) => Err(Refused::half_replaced().with("data", refused.shown())),
        }
    };
    match amended.await {
        Ok(amended) => Json(amended).into_response(),
        Err(refused) => refused.into_response(),
    }
}

fn answer(bots: &Side, order: &Value, before: &OpenOrder) -> Value {
    let mut order = order.clone();
    order["qty"] = order["origQty"].clone();
    order["origClientOrderId"] = before.order.client_order_id.as_str().into();
    json!({ "transactTime": bots.gateway.real_clock.now().millis(), "executionId": order["orderId"], "amendedOrder": order })
}
