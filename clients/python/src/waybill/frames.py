"""What each contract's server says, as types of its data.

Made of docs/api/asyncapi.json by `python -m infra.clients`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from typing_extensions import NotRequired

FEED_EVENTS: tuple[str, ...] = (
    "order_confirmed",
    "order_ready",
    "delivery_in_transit",
    "delivery_arrived",
    "location_updated",
    "eta_updated",
    "earning_recorded",
    "bonus_earned",
    "payout_approved",
    "payout_completed",
    "wallet_updated",
    "payment_initiated",
    "payment_completed",
    "payment_failed",
    "order_created",
    "delivery_accepted",
    "delivery_completed",
    "order_released",
    "delivery_failed",
    "no_show_available",
    "courier_near",
    "courier_left",
    "arrival_suggested",
    "refund_due",
    "webhook_disabled",
    "payment_due",
    "delivery_returned",
)


class ChatEntry(TypedDict):
    id: str
    rideId: str
    userId: str
    userType: Literal["RIDER", "DRIVER"]
    message: str
    timestamp: int


class ItemShown(TypedDict):
    name: str
    quantity: int
    price: float


class RideDriver(TypedDict):
    id: str
    rating: float
    name: NotRequired[str]
    vehicle: NotRequired[str]
    eta: NotRequired[int]


class RidePlace(TypedDict):
    latitude: NotRequired[float]
    longitude: NotRequired[float]
    address: NotRequired[str]


class FeedOrderConfirmed(TypedDict):
    """The data of `order_confirmed`, contract `feed`."""

    order_id: str
    confirmation_time: str
    shop_name: str
    estimated_ready_time: str


class FeedOrderReady(TypedDict):
    """The data of `order_ready`, contract `feed`."""

    order_id: str
    ready_at: str
    pickup_by: str


class FeedDeliveryInTransitLocation(TypedDict):
    latitude: float
    longitude: float
    address: str


class FeedDeliveryInTransit(TypedDict):
    """The data of `delivery_in_transit`, contract `feed`."""

    delivery_id: str
    location: FeedDeliveryInTransitLocation
    eta_minutes: int
    updated_at: str
    accuracy: NotRequired[float]
    distance_remaining_km: NotRequired[float]


class FeedDeliveryArrivedLocation(TypedDict):
    latitude: float
    longitude: float


class FeedDeliveryArrived(TypedDict):
    """The data of `delivery_arrived`, contract `feed`."""

    delivery_id: str
    delivery_boy_id: str
    delivery_boy_name: str
    phone_number: str
    arrived_at: str
    location: NotRequired[FeedDeliveryArrivedLocation]


class FeedLocationUpdated(TypedDict):
    """The data of `location_updated`, contract `feed`."""

    delivery_id: str
    latitude: float
    longitude: float
    timestamp: str
    accuracy: NotRequired[float]
    altitude: NotRequired[float]
    speed: NotRequired[float]
    heading: NotRequired[float]


class FeedEtaUpdated(TypedDict):
    """The data of `eta_updated`, contract `feed`."""

    delivery_id: str
    eta_minutes: int
    eta_timestamp: str
    previous_eta_minutes: int
    updated_at: str
    distance_remaining_km: NotRequired[float]


class FeedEarningRecorded(TypedDict):
    """The data of `earning_recorded`, contract `feed`."""

    amount: float
    delivery_id: str
    breakdown: dict[str, Any]
    new_balance: float
    timestamp: str


class FeedBonusEarned(TypedDict):
    """The data of `bonus_earned`, contract `feed`."""

    amount: float
    bonus_type: str
    trigger: str
    period: str
    new_balance: float


class FeedPayoutApproved(TypedDict):
    """The data of `payout_approved`, contract `feed`."""

    payout_id: str
    amount: float
    bank_account: str
    estimated_transfer_date: str
    estimated_transfer_time: str


class FeedPayoutCompleted(TypedDict):
    """The data of `payout_completed`, contract `feed`."""

    payout_id: str
    amount: float
    bank_account: str
    transaction_id: str
    transferred_at: str


class FeedWalletUpdated(TypedDict):
    """The data of `wallet_updated`, contract `feed`."""

    previous_balance: float
    new_balance: float
    change: float
    change_reason: str
    timestamp: str


class FeedPaymentInitiated(TypedDict):
    """The data of `payment_initiated`, contract `feed`."""

    payment_id: str
    order_id: str
    amount: float
    method: str
    currency: Literal["INR"]
    initiated_at: str


class FeedPaymentCompleted(TypedDict):
    """The data of `payment_completed`, contract `feed`."""

    payment_id: str
    order_id: str
    amount: float
    method: str
    completed_at: str
    upi_id: NotRequired[str]
    transaction_id: NotRequired[str]


class FeedPaymentFailed(TypedDict):
    """The data of `payment_failed`, contract `feed`."""

    payment_id: str
    order_id: str
    amount: float
    method: str
    error: str
    failed_at: str
    retry_available: Literal[True]


class FeedOrderCreatedItems(TypedDict):
    name: str
    quantity: int
    price: float


class FeedOrderCreated(TypedDict):
    """The data of `order_created`, contract `feed`."""

    order_id: str
    items: list[FeedOrderCreatedItems]
    total_amount: float
    delivery_fee: float
    total_with_fee: float
    delivery_address: str
    estimated_delivery_time: str
    created_at: str


class FeedDeliveryAccepted(TypedDict):
    """The data of `delivery_accepted`, contract `feed`."""

    delivery_id: str
    delivery_boy_id: str
    delivery_boy_name: str
    delivery_boy_rating: float
    vehicle_type: str
    accepted_at: str
    estimated_pickup_time: int
    estimated_delivery_time: int


class FeedDeliveryCompleted(TypedDict):
    """The data of `delivery_completed`, contract `feed`."""

    delivery_id: str
    order_id: str
    completed_at: str
    total_time_minutes: int
    delivery_rating: None
    payment_status: str


class FeedOrderReleased(TypedDict):
    """The data of `order_released`, contract `feed`."""

    order_id: str
    released_at: str
    reason: NotRequired[str]
    note: NotRequired[str]


class FeedDeliveryFailed(TypedDict):
    """The data of `delivery_failed`, contract `feed`."""

    delivery_id: str
    order_id: str
    state: Literal["scheduled", "pending", "confirmed", "preparing", "ready", "searching", "offered", "accepted", "at_pickup", "in_transit", "returning", "done", "cancelled", "unserved", "no_show", "returned", "left", "discarded"]
    failed_at: str
    reason: NotRequired[str]
    note: NotRequired[str]


class FeedNoShowAvailable(TypedDict):
    """The data of `no_show_available`, contract `feed`."""

    delivery_id: str
    order_id: str
    state: Literal["scheduled", "pending", "confirmed", "preparing", "ready", "searching", "offered", "accepted", "at_pickup", "in_transit", "returning", "done", "cancelled", "unserved", "no_show", "returned", "left", "discarded"]
    available_at: str


class FeedCourierNear(TypedDict):
    """The data of `courier_near`, contract `feed`."""

    delivery_id: str
    order_id: str
    stop: Literal["pickup", "dropoff"]
    near_at: str


class FeedCourierLeft(TypedDict):
    """The data of `courier_left`, contract `feed`."""

    delivery_id: str
    order_id: str
    stop: Literal["pickup", "dropoff"]
    left_at: str


class FeedArrivalSuggested(TypedDict):
    """The data of `arrival_suggested`, contract `feed`."""

    delivery_id: str
    order_id: str
    stop: Literal["pickup", "dropoff"]
    arrived_at: str


class FeedRefundDue(TypedDict):
    """The data of `refund_due`, contract `feed`."""

    order_id: str
    payment_id: str
    amount: float


class FeedWebhookDisabled(TypedDict):
    """The data of `webhook_disabled`, contract `feed`."""

    endpoint_id: str
    reason: str
    disabled_at: str
    failing_since: NotRequired[str]


class FeedPaymentDue(TypedDict):
    """The data of `payment_due`, contract `feed`."""

    order_id: str
    amount: float


class FeedDeliveryReturned(TypedDict):
    """The data of `delivery_returned`, contract `feed`."""

    delivery_id: str
    order_id: str
    returned_at: str


class FeedError(TypedDict):
    """The data of `error`, contract `feed`."""

    type: Literal["error"]
    message: str
    code: str


class CourierOrderAssigned(TypedDict):
    """The data of `order.assigned`, contract `courier`."""

    order_id: str
    customer_id: str
    pickup_address: str
    dropoff_address: str
    pickup_lat: NotRequired[float]
    pickup_lng: NotRequired[float]
    dropoff_lat: NotRequired[float]
    dropoff_lng: NotRequired[float]
    receiver_phone: NotRequired[str]


class CourierOrderAssignmentTimedOut(TypedDict):
    """The data of `order.assignment_timed_out`, contract `courier`."""

    order_id: str
    customer_id: str


class CourierOrderReassignedAway(TypedDict):
    """The data of `order.reassigned_away`, contract `courier`."""

    order_id: str
    customer_id: str


class CourierOrderNoNearbyDriver(TypedDict):
    """The data of `order.no_nearby_driver`, contract `courier`."""

    order_id: str
    customer_id: str


class CourierError(TypedDict):
    """The data of `error`, contract `courier`."""

    message: str

CourierRefreshed = dict[str, Any]


class CustomerOrderStatus(TypedDict):
    """The data of `order.status`, contract `customer`."""

    order_id: str
    status: Literal["assigned", "accepted", "declined", "arrived", "picked_up", "delivered", "no_nearby_driver"]
    pickup_address: NotRequired[str]
    pickup_lat: NotRequired[float]
    pickup_lng: NotRequired[float]
    dropoff_address: NotRequired[str]
    dropoff_lat: NotRequired[float]
    dropoff_lng: NotRequired[float]
    receiver_phone: NotRequired[str]
    courier_name: NotRequired[str]
    courier_phone: NotRequired[str]
    courier_profile_picture: NotRequired[str]


class CustomerError(TypedDict):
    """The data of `error`, contract `customer`."""

    message: str

CustomerRefreshed = dict[str, Any]


class RidesRideStatusUpdateData(TypedDict):
    message: str
    driver: NotRequired[RideDriver]
    driver_info: NotRequired[RideDriver]
    reason: NotRequired[str]
    eta_minutes: NotRequired[int]


class RidesRideStatusUpdate(TypedDict):
    """The data of `ride_status_update`, contract `rides`."""

    ride_id: str
    status: Literal["scheduled", "findingDriver", "arrivingToPickup", "drivingToDestination", "completed", "canceled"]
    data: RidesRideStatusUpdateData
    eta_minutes: NotRequired[int]


class RidesNewRideRequestRiderInfo(TypedDict):
    rating: float
    name: NotRequired[str]


class RidesNewRideRequest(TypedDict):
    """The data of `new_ride_request`, contract `rides`."""

    ride_id: str
    pickup: RidePlace
    destination: RidePlace
    vehicle_type: str
    fare_estimate: float
    rider_info: RidesNewRideRequestRiderInfo
    notes: NotRequired[str]


class RidesRideRequestClosed(TypedDict):
    """The data of `ride_request_closed`, contract `rides`."""

    ride_id: str
    reason: Literal["taken", "canceled", "expired"]


class RidesDriverLocationUpdate(TypedDict):
    """The data of `driver_location_update`, contract `rides`."""

    ride_id: str
    driver_id: str
    latitude: float
    longitude: float
    heading: float


class RidesChatMessage(TypedDict):
    """The data of `chat_message`, contract `rides`."""

    id: str
    ride_id: str
    sender_id: str
    sender_type: Literal["RIDER", "DRIVER"]
    message: str
    timestamp: int


class RidesServerMessage(TypedDict):
    """The data of `server_message`, contract `rides`."""

    msg: str


class RidesAuthenticateResponse(TypedDict):
    """The data of `authenticate_response`, contract `rides`."""

    status: Literal["success"]
    message: str
    user_type: Literal["RIDER", "DRIVER"]
    user_id: str


class RidesAuthenticateResponse1(TypedDict):
    """The data of `authenticate_response`, contract `rides`."""

    status: Literal["error"]
    message: str
    code: str
    detail: NotRequired[str]


class RidesGoOnlineResponse(TypedDict):
    """The data of `go_online_response`, contract `rides`."""

    status: Literal["success"]
    message: str
    driver_id: str


class RidesGoOnlineResponse1(TypedDict):
    """The data of `go_online_response`, contract `rides`."""

    status: Literal["error"]
    message: str
    code: str
    detail: NotRequired[str]


class RidesGoOfflineResponse(TypedDict):
    """The data of `go_offline_response`, contract `rides`."""

    status: Literal["success"]
    message: str


class RidesGoOfflineResponse1(TypedDict):
    """The data of `go_offline_response`, contract `rides`."""

    status: Literal["error"]
    message: str
    code: str
    detail: NotRequired[str]


class RidesUpdateLocationResponse(TypedDict):
    """The data of `update_location_response`, contract `rides`."""

    status: Literal["success"]
    message: str


class RidesUpdateLocationResponse1(TypedDict):
    """The data of `update_location_response`, contract `rides`."""

    status: Literal["error"]
    message: str
    code: str
    detail: NotRequired[str]


class RidesAcceptRideResponse(TypedDict):
    """The data of `accept_ride_response`, contract `rides`."""

    status: Literal["success"]
    message: str
    driver_info: RideDriver


class RidesAcceptRideResponse1(TypedDict):
    """The data of `accept_ride_response`, contract `rides`."""

    status: Literal["error"]
    message: str
    code: str
    detail: NotRequired[str]


class RidesStartRideResponse(TypedDict):
    """The data of `start_ride_response`, contract `rides`."""

    status: Literal["success"]
    message: str


class RidesStartRideResponse1(TypedDict):
    """The data of `start_ride_response`, contract `rides`."""

    status: Literal["error"]
    message: str
    code: str
    detail: NotRequired[str]


class RidesCompleteRideResponseRideData(TypedDict):
    id: str
    fare: NotRequired[float]
    distance: NotRequired[float]
    duration: NotRequired[int]


class RidesCompleteRideResponse(TypedDict):
    """The data of `complete_ride_response`, contract `rides`."""

    status: Literal["success"]
    message: str
    ride_data: RidesCompleteRideResponseRideData


class RidesCompleteRideResponse1(TypedDict):
    """The data of `complete_ride_response`, contract `rides`."""

    status: Literal["error"]
    message: str
    code: str
    detail: NotRequired[str]


class RidesCancelRideResponse(TypedDict):
    """The data of `cancel_ride_response`, contract `rides`."""

    status: Literal["success"]
    message: str


class RidesCancelRideResponse1(TypedDict):
    """The data of `cancel_ride_response`, contract `rides`."""

    status: Literal["error"]
    message: str
    code: str
    detail: NotRequired[str]


class RidesRequestRideResponse(TypedDict):
    """The data of `request_ride_response`, contract `rides`."""

    status: Literal["success"]
    message: str
    ride_id: str
    estimated_fare: float
    estimated_duration: int
    pickup_from: NotRequired[str]
    pickup_by: NotRequired[str]
    dropoff_by: NotRequired[str]


class RidesRequestRideResponse1(TypedDict):
    """The data of `request_ride_response`, contract `rides`."""

    status: Literal["error"]
    message: str
    code: str
    detail: NotRequired[str]


class RidesRateDriverResponse(TypedDict):
    """The data of `rate_driver_response`, contract `rides`."""

    status: Literal["success"]
    message: str


class RidesRateDriverResponse1(TypedDict):
    """The data of `rate_driver_response`, contract `rides`."""

    status: Literal["error"]
    message: str
    code: str
    detail: NotRequired[str]


class RidesJoinRideRoomResponseRideData(TypedDict):
    id: str
    status: Literal["scheduled", "findingDriver", "arrivingToPickup", "drivingToDestination", "completed", "canceled"]
    pickup: str
    destination: str


class RidesJoinRideRoomResponse(TypedDict):
    """The data of `join_ride_room_response`, contract `rides`."""

    status: Literal["success"]
    message: str
    ride_data: RidesJoinRideRoomResponseRideData


class RidesJoinRideRoomResponse1(TypedDict):
    """The data of `join_ride_room_response`, contract `rides`."""

    status: Literal["error"]
    message: str
    code: str
    detail: NotRequired[str]


class RidesGetRideStateResponseRideData(TypedDict):
    id: str
    status: Literal["scheduled", "findingDriver", "arrivingToPickup", "drivingToDestination", "completed", "canceled"]
    pickup: str
    destination: str
    pickup_location: RidePlace
    destination_location: RidePlace
    vehicle_type: NotRequired[str]
    notes: NotRequired[str]
    estimated_fare: NotRequired[float]
    driver: NotRequired[RideDriver]
    driver_info: NotRequired[RideDriver]
    eta_minutes: NotRequired[int]
    fare: NotRequired[float]
    distance: NotRequired[float]
    duration: NotRequired[int]


class RidesGetRideStateResponse(TypedDict):
    """The data of `get_ride_state_response`, contract `rides`."""

    status: Literal["success"]
    message: str
    ride_data: RidesGetRideStateResponseRideData


class RidesGetRideStateResponse1(TypedDict):
    """The data of `get_ride_state_response`, contract `rides`."""

    status: Literal["error"]
    message: str
    code: str
    detail: NotRequired[str]


class RidesSendChatMessageResponse(TypedDict):
    """The data of `send_chat_message_response`, contract `rides`."""

    status: Literal["success"]
    message: str
    chat_id: str


class RidesSendChatMessageResponse1(TypedDict):
    """The data of `send_chat_message_response`, contract `rides`."""

    status: Literal["error"]
    message: str
    code: str
    detail: NotRequired[str]


class RidesGetRideChatsResponse(TypedDict):
    """The data of `get_ride_chats_response`, contract `rides`."""

    status: Literal["success"]
    message: str
    chats: list[ChatEntry]


class RidesGetRideChatsResponse1(TypedDict):
    """The data of `get_ride_chats_response`, contract `rides`."""

    status: Literal["error"]
    message: str
    code: str
    detail: NotRequired[str]


class RidesError(TypedDict):
    """The data of `error`, contract `rides`."""

    status: Literal["error"]
    message: str
    code: str
    detail: NotRequired[str]


class FoodOrderCreatedOrder(TypedDict):
    id: int
    status: Literal["scheduled", "pending", "confirmed", "preparing", "ready_for_pickup", "out_for_delivery", "delivered", "cancelled"]
    userId: int | str
    restaurantId: int | str | None
    driverId: int | str | None
    items: list[ItemShown]
    totalAmount: float
    deliveryAddress: str
    createdAt: str
    updatedAt: str
    notes: NotRequired[str]


class FoodOrderCreated(TypedDict):
    """The data of `order-created`, contract `food`."""

    order: FoodOrderCreatedOrder


class FoodNewOrderOrder(TypedDict):
    id: int
    status: Literal["scheduled", "pending", "confirmed", "preparing", "ready_for_pickup", "out_for_delivery", "delivered", "cancelled"]
    userId: int | str
    restaurantId: int | str | None
    driverId: int | str | None
    items: list[ItemShown]
    totalAmount: float
    deliveryAddress: str
    createdAt: str
    updatedAt: str
    notes: NotRequired[str]


class FoodNewOrder(TypedDict):
    """The data of `new-order`, contract `food`."""

    order: FoodNewOrderOrder


class FoodNewAvailableOrderOrder(TypedDict):
    id: int
    status: Literal["scheduled", "pending", "confirmed", "preparing", "ready_for_pickup", "out_for_delivery", "delivered", "cancelled"]
    userId: int | str
    restaurantId: int | str | None
    driverId: int | str | None
    items: list[ItemShown]
    totalAmount: float
    deliveryAddress: str
    createdAt: str
    updatedAt: str
    notes: NotRequired[str]


class FoodNewAvailableOrder(TypedDict):
    """The data of `new-available-order`, contract `food`."""

    order: FoodNewAvailableOrderOrder


class FoodOrderAcceptedOrder(TypedDict):
    id: int
    status: Literal["scheduled", "pending", "confirmed", "preparing", "ready_for_pickup", "out_for_delivery", "delivered", "cancelled"]
    userId: int | str
    restaurantId: int | str | None
    driverId: int | str | None
    items: list[ItemShown]
    totalAmount: float
    deliveryAddress: str
    createdAt: str
    updatedAt: str
    notes: NotRequired[str]


class FoodOrderAccepted(TypedDict):
    """The data of `order-accepted`, contract `food`."""

    order: FoodOrderAcceptedOrder


class FoodOrderAssignedOrder(TypedDict):
    id: int
    status: Literal["scheduled", "pending", "confirmed", "preparing", "ready_for_pickup", "out_for_delivery", "delivered", "cancelled"]
    userId: int | str
    restaurantId: int | str | None
    driverId: int | str | None
    items: list[ItemShown]
    totalAmount: float
    deliveryAddress: str
    createdAt: str
    updatedAt: str
    notes: NotRequired[str]


class FoodOrderAssigned(TypedDict):
    """The data of `order-assigned`, contract `food`."""

    order: FoodOrderAssignedOrder


class FoodOrderUpdatedOrder(TypedDict):
    id: int
    status: Literal["scheduled", "pending", "confirmed", "preparing", "ready_for_pickup", "out_for_delivery", "delivered", "cancelled"]
    userId: int | str
    restaurantId: int | str | None
    driverId: int | str | None
    items: list[ItemShown]
    totalAmount: float
    deliveryAddress: str
    createdAt: str
    updatedAt: str
    notes: NotRequired[str]


class FoodOrderUpdated(TypedDict):
    """The data of `order-updated`, contract `food`."""

    order: FoodOrderUpdatedOrder


class FoodOrderTaken(TypedDict):
    """The data of `order-taken`, contract `food`."""

    orderId: int


class FoodAvailableOrdersOrders(TypedDict):
    id: int
    status: Literal["scheduled", "pending", "confirmed", "preparing", "ready_for_pickup", "out_for_delivery", "delivered", "cancelled"]
    userId: int | str
    restaurantId: int | str | None
    driverId: int | str | None
    items: list[ItemShown]
    totalAmount: float
    deliveryAddress: str
    createdAt: str
    updatedAt: str
    notes: NotRequired[str]


class FoodAvailableOrders(TypedDict):
    """The data of `available-orders`, contract `food`."""

    orders: list[FoodAvailableOrdersOrders]


class FoodRestaurantOrdersOrders(TypedDict):
    id: int
    status: Literal["scheduled", "pending", "confirmed", "preparing", "ready_for_pickup", "out_for_delivery", "delivered", "cancelled"]
    userId: int | str
    restaurantId: int | str | None
    driverId: int | str | None
    items: list[ItemShown]
    totalAmount: float
    deliveryAddress: str
    createdAt: str
    updatedAt: str
    notes: NotRequired[str]


class FoodRestaurantOrders(TypedDict):
    """The data of `restaurant-orders`, contract `food`."""

    orders: list[FoodRestaurantOrdersOrders]

FoodRefreshed = dict[str, Any]


class FoodError(TypedDict):
    """The data of `error`, contract `food`."""

    message: str


class DriversNewOrderOrder(TypedDict):
    id: int
    order_code: str
    status: Literal["scheduled", "pending", "confirmed", "preparing", "ready", "searching", "accepted", "arrived", "picked_up", "delivered", "cancelled", "no_nearby_driver", "declined"]
    order_type: str
    created_at: str
    address_from: str
    address_to: str
    latitude_from: NotRequired[str]
    longitude_from: NotRequired[str]
    latitude_to: NotRequired[str]
    longitude_to: NotRequired[str]
    distance_to_pickup_km: NotRequired[float]


class DriversNewOrder(TypedDict):
    """The data of `new_order`, contract `drivers`."""

    type: Literal["new_order"]
    order: DriversNewOrderOrder
    message: str
    pos: NotRequired[str]


class DriversOrderTimeout(TypedDict):
    """The data of `order_timeout`, contract `drivers`."""

    type: Literal["order_timeout"]
    order_id: int
    message: str
    pos: NotRequired[str]


class DriversConnectionEstablished(TypedDict):
    """The data of `connection_established`, contract `drivers`."""

    type: Literal["connection_established"]
    message: str
    driver_id: int | str


class DriversInitialOrdersOrders(TypedDict):
    id: int
    order_code: str
    status: str
    address_from: str
    address_to: str
    distance_to_pickup_km: NotRequired[float]


class DriversInitialOrders(TypedDict):
    """The data of `initial_orders`, contract `drivers`."""

    type: Literal["initial_orders"]
    orders: list[DriversInitialOrdersOrders]
    message: str


class DriversRefreshed(TypedDict):
    """The data of `refreshed`, contract `drivers`."""

    type: Literal["refreshed"]


class DriversError(TypedDict):
    """The data of `error`, contract `drivers`."""

    type: Literal["error"]
    message: str


class OpsSnapshotOrdersPickup(TypedDict):
    lat: float | None
    lng: float | None
    address: str


class OpsSnapshotOrdersDropoff(TypedDict):
    lat: float | None
    lng: float | None
    address: str


class OpsSnapshotOrders(TypedDict):
    id: str
    flow: Literal["delivery", "hail", "food", "ride"]
    state: Literal["scheduled", "pending", "confirmed", "preparing", "ready", "searching", "offered", "accepted", "at_pickup", "in_transit", "returning", "done", "cancelled", "unserved", "no_show", "returned", "left", "discarded"]
    since: str
    created_at: str
    age_s: int
    offers: int
    customer_id: str
    courier_id: str | None
    courier_name: str | None
    offered_to: str | None
    merchant_id: str | None
    external_id: str | None
    eta: str | None
    due: str | None
    late: bool
    zone: str | None
    lat: float | None
    lng: float | None
    pickup: OpsSnapshotOrdersPickup
    dropoff: OpsSnapshotOrdersDropoff
    reason: str | None


class OpsSnapshotCouriers(TypedDict):
    id: str
    name: str | None
    lat: float | None
    lng: float | None
    zone: str | None
    fix_at: str | None
    fix_age_s: int | None
    on_duty: bool
    paused: bool
    order_id: str | None
    idle_since: str | None
    vehicle_type: str | None


class OpsSnapshotFigures(TypedDict):
    orders: int
    searching: int
    unassigned: int
    late: int
    unserved: int
    oldest_searching_s: int | None
    couriers: int
    couriers_idle: int
    couriers_idle_percent: float | None


class OpsSnapshot(TypedDict):
    """The data of `snapshot`, contract `ops`."""

    type: Literal["snapshot"]
    pos: str
    at: str
    zone: str | None
    orders: list[OpsSnapshotOrders]
    couriers: list[OpsSnapshotCouriers]
    part: int
    parts: int
    figures: NotRequired[OpsSnapshotFigures]


class OpsDeltaOrdersPickup(TypedDict):
    lat: float | None
    lng: float | None
    address: str


class OpsDeltaOrdersDropoff(TypedDict):
    lat: float | None
    lng: float | None
    address: str


class OpsDeltaOrders(TypedDict):
    id: str
    flow: Literal["delivery", "hail", "food", "ride"]
    state: Literal["scheduled", "pending", "confirmed", "preparing", "ready", "searching", "offered", "accepted", "at_pickup", "in_transit", "returning", "done", "cancelled", "unserved", "no_show", "returned", "left", "discarded"]
    since: str
    created_at: str
    age_s: int
    offers: int
    customer_id: str
    courier_id: str | None
    courier_name: str | None
    offered_to: str | None
    merchant_id: str | None
    external_id: str | None
    eta: str | None
    due: str | None
    late: bool
    zone: str | None
    lat: float | None
    lng: float | None
    pickup: OpsDeltaOrdersPickup
    dropoff: OpsDeltaOrdersDropoff
    reason: str | None


class OpsDeltaCouriers(TypedDict):
    id: str
    name: str | None
    lat: float | None
    lng: float | None
    zone: str | None
    fix_at: str | None
    fix_age_s: int | None
    on_duty: bool
    paused: bool
    order_id: str | None
    idle_since: str | None
    vehicle_type: str | None


class OpsDeltaFigures(TypedDict):
    orders: int
    searching: int
    unassigned: int
    late: int
    unserved: int
    oldest_searching_s: int | None
    couriers: int
    couriers_idle: int
    couriers_idle_percent: float | None


class OpsDelta(TypedDict):
    """The data of `delta`, contract `ops`."""

    type: Literal["delta"]
    pos: str
    at: str
    zone: str | None
    orders: list[OpsDeltaOrders]
    couriers: list[OpsDeltaCouriers]
    removed: list[str]
    removed_couriers: list[str]
    figures: OpsDeltaFigures
    reset: NotRequired[list[Literal["couriers"]]]


class OpsRefreshed(TypedDict):
    """The data of `refreshed`, contract `ops`."""

    type: Literal["refreshed"]
    pos: str


class OpsError(TypedDict):
    """The data of `error`, contract `ops`."""

    type: Literal["error"]
    code: str
    message: str
    pos: str
