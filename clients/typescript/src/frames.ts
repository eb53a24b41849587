// What each contract's server says: the type of a frame, and its data. Made of
// docs/api/asyncapi.json by `python -m infra.clients`.

/** The feed's types of event. */
export const FEED_EVENTS: string[] = [
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
];

export type ChatEntry = {
  id: string;
  rideId: string;
  userId: string;
  userType: "RIDER" | "DRIVER";
  message: string;
  timestamp: number;
};

export type ItemShown = {
  name: string;
  quantity: number;
  price: number;
};

export type RideDriver = {
  id: string;
  rating: number;
  name?: string;
  vehicle?: string;
  eta?: number;
};

export type RidePlace = {
  latitude?: number;
  longitude?: number;
  address?: string;
};

export interface Frames {
  feed: {
    "order_confirmed": {
      order_id: string;
      confirmation_time: string;
      shop_name: string;
      estimated_ready_time: string;
    };
    "order_ready": {
      order_id: string;
      ready_at: string;
      pickup_by: string;
    };
    "delivery_in_transit": {
      delivery_id: string;
      location: {
        latitude: number;
        longitude: number;
        address: string;
      };
      eta_minutes: number;
      updated_at: string;
      accuracy?: number;
      distance_remaining_km?: number;
    };
    "delivery_arrived": {
      delivery_id: string;
      delivery_boy_id: string;
      delivery_boy_name: string;
      phone_number: string;
      arrived_at: string;
      location?: {
        latitude: number;
        longitude: number;
      };
    };
    "location_updated": {
      delivery_id: string;
      latitude: number;
      longitude: number;
      timestamp: string;
      accuracy?: number;
      altitude?: number;
      speed?: number;
      heading?: number;
    };
    "eta_updated": {
      delivery_id: string;
      eta_minutes: number;
      eta_timestamp: string;
      previous_eta_minutes: number;
      updated_at: string;
      distance_remaining_km?: number;
    };
    "earning_recorded": {
      amount: number;
      delivery_id: string;
      breakdown: Record<string, unknown>;
      new_balance: number;
      timestamp: string;
    };
    "bonus_earned": {
      amount: number;
      bonus_type: string;
      trigger: string;
      period: string;
      new_balance: number;
    };
    "payout_approved": {
      payout_id: string;
      amount: number;
      bank_account: string;
      estimated_transfer_date: string;
      estimated_transfer_time: string;
    };
    "payout_completed": {
      payout_id: string;
      amount: number;
      bank_account: string;
      transaction_id: string;
      transferred_at: string;
    };
    "wallet_updated": {
      previous_balance: number;
      new_balance: number;
      change: number;
      change_reason: string;
      timestamp: string;
    };
    "payment_initiated": {
      payment_id: string;
      order_id: string;
      amount: number;
      method: string;
      currency: "INR";
      initiated_at: string;
    };
    "payment_completed": {
      payment_id: string;
      order_id: string;
      amount: number;
      method: string;
      completed_at: string;
      upi_id?: string;
      transaction_id?: string;
    };
    "payment_failed": {
      payment_id: string;
      order_id: string;
      amount: number;
      method: string;
      error: string;
      failed_at: string;
      retry_available: true;
    };
    "order_created": {
      order_id: string;
      items: Array<{
        name: string;
        quantity: number;
        price: number;
      }>;
      total_amount: number;
      delivery_fee: number;
      total_with_fee: number;
      delivery_address: string;
      estimated_delivery_time: string;
      created_at: string;
    };
    "delivery_accepted": {
      delivery_id: string;
      delivery_boy_id: string;
      delivery_boy_name: string;
      delivery_boy_rating: number;
      vehicle_type: string;
      accepted_at: string;
      estimated_pickup_time: number;
      estimated_delivery_time: number;
    };
    "delivery_completed": {
      delivery_id: string;
      order_id: string;
      completed_at: string;
      total_time_minutes: number;
      delivery_rating: null;
      payment_status: string;
    };
    "order_released": {
      order_id: string;
      released_at: string;
      reason?: string;
      note?: string;
    };
    "delivery_failed": {
      delivery_id: string;
      order_id: string;
      state: "scheduled" | "pending" | "confirmed" | "preparing" | "ready" | "searching" | "offered" | "accepted" | "at_pickup" | "in_transit" | "returning" | "done" | "cancelled" | "unserved" | "no_show" | "returned" | "left" | "discarded";
      failed_at: string;
      reason?: string;
      note?: string;
    };
    "no_show_available": {
      delivery_id: string;
      order_id: string;
      state: "scheduled" | "pending" | "confirmed" | "preparing" | "ready" | "searching" | "offered" | "accepted" | "at_pickup" | "in_transit" | "returning" | "done" | "cancelled" | "unserved" | "no_show" | "returned" | "left" | "discarded";
      available_at: string;
    };
    "courier_near": {
      delivery_id: string;
      order_id: string;
      stop: "pickup" | "dropoff";
      near_at: string;
    };
    "courier_left": {
      delivery_id: string;
      order_id: string;
      stop: "pickup" | "dropoff";
      left_at: string;
    };
    "arrival_suggested": {
      delivery_id: string;
      order_id: string;
      stop: "pickup" | "dropoff";
      arrived_at: string;
    };
    "refund_due": {
      order_id: string;
      payment_id: string;
      amount: number;
    };
    "webhook_disabled": {
      endpoint_id: string;
      reason: string;
      disabled_at: string;
      failing_since?: string;
    };
    "payment_due": {
      order_id: string;
      amount: number;
    };
    "delivery_returned": {
      delivery_id: string;
      order_id: string;
      returned_at: string;
    };
    "error": {
      type: "error";
      message: string;
      code: string;
    };
  };
  courier: {
    "order.assigned": {
      order_id: string;
      customer_id: string;
      pickup_address: string;
      dropoff_address: string;
      pickup_lat?: number;
      pickup_lng?: number;
      dropoff_lat?: number;
      dropoff_lng?: number;
      receiver_phone?: string;
    };
    "order.assignment_timed_out": {
      order_id: string;
      customer_id: string;
    };
    "order.reassigned_away": {
      order_id: string;
      customer_id: string;
    };
    "order.no_nearby_driver": {
      order_id: string;
      customer_id: string;
    };
    "error": {
      message: string;
    };
    "refreshed": Record<string, unknown>;
  };
  customer: {
    "order.status": {
      order_id: string;
      status: "assigned" | "accepted" | "declined" | "arrived" | "picked_up" | "delivered" | "no_nearby_driver";
      pickup_address?: string;
      pickup_lat?: number;
      pickup_lng?: number;
      dropoff_address?: string;
      dropoff_lat?: number;
      dropoff_lng?: number;
      receiver_phone?: string;
      courier_name?: string;
      courier_phone?: string;
      courier_profile_picture?: string;
    };
    "error": {
      message: string;
    };
    "refreshed": Record<string, unknown>;
  };
  rides: {
    "ride_status_update": {
      ride_id: string;
      status: "scheduled" | "findingDriver" | "arrivingToPickup" | "drivingToDestination" | "completed" | "canceled";
      data: {
        message: string;
        driver?: RideDriver;
        driver_info?: RideDriver;
        reason?: string;
        eta_minutes?: number;
      };
      eta_minutes?: number;
    };
    "new_ride_request": {
      ride_id: string;
      pickup: RidePlace;
      destination: RidePlace;
      vehicle_type: string;
      fare_estimate: number;
      rider_info: {
        rating: number;
        name?: string;
      };
      notes?: string;
    };
    "ride_request_closed": {
      ride_id: string;
      reason: "taken" | "canceled" | "expired";
    };
    "driver_location_update": {
      ride_id: string;
      driver_id: string;
      latitude: number;
      longitude: number;
      heading: number;
    };
    "chat_message": {
      id: string;
      ride_id: string;
      sender_id: string;
      sender_type: "RIDER" | "DRIVER";
      message: string;
      timestamp: number;
    };
    "server_message": {
      msg: string;
    };
    "authenticate_response": {
      status: "success";
      message: string;
      user_type: "RIDER" | "DRIVER";
      user_id: string;
    } | {
      status: "error";
      message: string;
      code: string;
      detail?: string;
    };
    "go_online_response": {
      status: "success";
      message: string;
      driver_id: string;
    } | {
      status: "error";
      message: string;
      code: string;
      detail?: string;
    };
    "go_offline_response": {
      status: "success";
      message: string;
    } | {
      status: "error";
      message: string;
      code: string;
      detail?: string;
    };
    "update_location_response": {
      status: "success";
      message: string;
    } | {
      status: "error";
      message: string;
      code: string;
      detail?: string;
    };
    "accept_ride_response": {
      status: "success";
      message: string;
      driver_info: RideDriver;
    } | {
      status: "error";
      message: string;
      code: string;
      detail?: string;
    };
    "start_ride_response": {
      status: "success";
      message: string;
    } | {
      status: "error";
      message: string;
      code: string;
      detail?: string;
    };
    "complete_ride_response": {
      status: "success";
      message: string;
      ride_data: {
        id: string;
        fare?: number;
        distance?: number;
        duration?: number;
      };
    } | {
      status: "error";
      message: string;
      code: string;
      detail?: string;
    };
    "cancel_ride_response": {
      status: "success";
      message: string;
    } | {
      status: "error";
      message: string;
      code: string;
      detail?: string;
    };
    "request_ride_response": {
      status: "success";
      message: string;
      ride_id: string;
      estimated_fare: number;
      estimated_duration: number;
      pickup_from?: string;
      pickup_by?: string;
      dropoff_by?: string;
    } | {
      status: "error";
      message: string;
      code: string;
      detail?: string;
    };
    "rate_driver_response": {
      status: "success";
      message: string;
    } | {
      status: "error";
      message: string;
      code: string;
      detail?: string;
    };
    "join_ride_room_response": {
      status: "success";
      message: string;
      ride_data: {
        id: string;
        status: "scheduled" | "findingDriver" | "arrivingToPickup" | "drivingToDestination" | "completed" | "canceled";
        pickup: string;
        destination: string;
      };
    } | {
      status: "error";
      message: string;
      code: string;
      detail?: string;
    };
    "get_ride_state_response": {
      status: "success";
      message: string;
      ride_data: {
        id: string;
        status: "scheduled" | "findingDriver" | "arrivingToPickup" | "drivingToDestination" | "completed" | "canceled";
        pickup: string;
        destination: string;
        pickup_location: RidePlace;
        destination_location: RidePlace;
        vehicle_type?: string;
        notes?: string;
        estimated_fare?: number;
        driver?: RideDriver;
        driver_info?: RideDriver;
        eta_minutes?: number;
        fare?: number;
        distance?: number;
        duration?: number;
      };
    } | {
      status: "error";
      message: string;
      code: string;
      detail?: string;
    };
    "send_chat_message_response": {
      status: "success";
      message: string;
      chat_id: string;
    } | {
      status: "error";
      message: string;
      code: string;
      detail?: string;
    };
    "get_ride_chats_response": {
      status: "success";
      message: string;
      chats: Array<ChatEntry>;
    } | {
      status: "error";
      message: string;
      code: string;
      detail?: string;
    };
    "error": {
      status: "error";
      message: string;
      code: string;
      detail?: string;
    };
  };
  food: {
    "order-created": {
      order: {
        id: number;
        status: "scheduled" | "pending" | "confirmed" | "preparing" | "ready_for_pickup" | "out_for_delivery" | "delivered" | "cancelled";
        userId: number | string;
        restaurantId: number | string | null;
        driverId: number | string | null;
        items: Array<ItemShown>;
        totalAmount: number;
        deliveryAddress: string;
        createdAt: string;
        updatedAt: string;
        notes?: string;
      };
    };
    "new-order": {
      order: {
        id: number;
        status: "scheduled" | "pending" | "confirmed" | "preparing" | "ready_for_pickup" | "out_for_delivery" | "delivered" | "cancelled";
        userId: number | string;
        restaurantId: number | string | null;
        driverId: number | string | null;
        items: Array<ItemShown>;
        totalAmount: number;
        deliveryAddress: string;
        createdAt: string;
        updatedAt: string;
        notes?: string;
      };
    };
    "new-available-order": {
      order: {
        id: number;
        status: "scheduled" | "pending" | "confirmed" | "preparing" | "ready_for_pickup" | "out_for_delivery" | "delivered" | "cancelled";
        userId: number | string;
        restaurantId: number | string | null;
        driverId: number | string | null;
        items: Array<ItemShown>;
        totalAmount: number;
        deliveryAddress: string;
        createdAt: string;
        updatedAt: string;
        notes?: string;
      };
    };
    "order-accepted": {
      order: {
        id: number;
        status: "scheduled" | "pending" | "confirmed" | "preparing" | "ready_for_pickup" | "out_for_delivery" | "delivered" | "cancelled";
        userId: number | string;
        restaurantId: number | string | null;
        driverId: number | string | null;
        items: Array<ItemShown>;
        totalAmount: number;
        deliveryAddress: string;
        createdAt: string;
        updatedAt: string;
        notes?: string;
      };
    };
    "order-assigned": {
      order: {
        id: number;
        status: "scheduled" | "pending" | "confirmed" | "preparing" | "ready_for_pickup" | "out_for_delivery" | "delivered" | "cancelled";
        userId: number | string;
        restaurantId: number | string | null;
        driverId: number | string | null;
        items: Array<ItemShown>;
        totalAmount: number;
        deliveryAddress: string;
        createdAt: string;
        updatedAt: string;
        notes?: string;
      };
    };
    "order-updated": {
      order: {
        id: number;
        status: "scheduled" | "pending" | "confirmed" | "preparing" | "ready_for_pickup" | "out_for_delivery" | "delivered" | "cancelled";
        userId: number | string;
        restaurantId: number | string | null;
        driverId: number | string | null;
        items: Array<ItemShown>;
        totalAmount: number;
        deliveryAddress: string;
        createdAt: string;
        updatedAt: string;
        notes?: string;
      };
    };
    "order-taken": {
      orderId: number;
    };
    "available-orders": {
      orders: Array<{
        id: number;
        status: "scheduled" | "pending" | "confirmed" | "preparing" | "ready_for_pickup" | "out_for_delivery" | "delivered" | "cancelled";
        userId: number | string;
        restaurantId: number | string | null;
        driverId: number | string | null;
        items: Array<ItemShown>;
        totalAmount: number;
        deliveryAddress: string;
        createdAt: string;
        updatedAt: string;
        notes?: string;
      }>;
    };
    "restaurant-orders": {
      orders: Array<{
        id: number;
        status: "scheduled" | "pending" | "confirmed" | "preparing" | "ready_for_pickup" | "out_for_delivery" | "delivered" | "cancelled";
        userId: number | string;
        restaurantId: number | string | null;
        driverId: number | string | null;
        items: Array<ItemShown>;
        totalAmount: number;
        deliveryAddress: string;
        createdAt: string;
        updatedAt: string;
        notes?: string;
      }>;
    };
    "refreshed": Record<string, unknown>;
    "error": {
      message: string;
    };
  };
  drivers: {
    "new_order": {
      type: "new_order";
      order: {
        id: number;
        order_code: string;
        status: "scheduled" | "pending" | "confirmed" | "preparing" | "ready" | "searching" | "accepted" | "arrived" | "picked_up" | "delivered" | "cancelled" | "no_nearby_driver" | "declined";
        order_type: string;
        created_at: string;
        address_from: string;
        address_to: string;
        latitude_from?: string;
        longitude_from?: string;
        latitude_to?: string;
        longitude_to?: string;
        distance_to_pickup_km?: number;
      };
      message: string;
      pos?: string;
    };
    "order_timeout": {
      type: "order_timeout";
      order_id: number;
      message: string;
      pos?: string;
    };
    "connection_established": {
      type: "connection_established";
      message: string;
      driver_id: number | string;
    };
    "initial_orders": {
      type: "initial_orders";
      orders: Array<{
        id: number;
        order_code: string;
        status: string;
        address_from: string;
        address_to: string;
        distance_to_pickup_km?: number;
      }>;
      message: string;
    };
    "refreshed": {
      type: "refreshed";
    };
    "error": {
      type: "error";
      message: string;
    };
  };
  ops: {
    "snapshot": {
      type: "snapshot";
      pos: string;
      at: string;
      zone: string | null;
      orders: Array<{
        id: string;
        flow: "delivery" | "hail" | "food" | "ride";
        state: "scheduled" | "pending" | "confirmed" | "preparing" | "ready" | "searching" | "offered" | "accepted" | "at_pickup" | "in_transit" | "returning" | "done" | "cancelled" | "unserved" | "no_show" | "returned" | "left" | "discarded";
        since: string;
        created_at: string;
        age_s: number;
        offers: number;
        customer_id: string;
        courier_id: string | null;
        courier_name: string | null;
        offered_to: string | null;
        merchant_id: string | null;
        external_id: string | null;
        eta: string | null;
        due: string | null;
        late: boolean;
        zone: string | null;
        lat: number | null;
        lng: number | null;
        pickup: {
          lat: number | null;
          lng: number | null;
          address: string;
        };
        dropoff: {
          lat: number | null;
          lng: number | null;
          address: string;
        };
        reason: string | null;
      }>;
      couriers: Array<{
        id: string;
        name: string | null;
        lat: number | null;
        lng: number | null;
        zone: string | null;
        fix_at: string | null;
        fix_age_s: number | null;
        on_duty: boolean;
        paused: boolean;
        order_id: string | null;
        idle_since: string | null;
        vehicle_type: string | null;
      }>;
      part: number;
      parts: number;
      figures?: {
        orders: number;
        searching: number;
        unassigned: number;
        late: number;
        unserved: number;
        oldest_searching_s: number | null;
        couriers: number;
        couriers_idle: number;
        couriers_idle_percent: number | null;
      };
    };
    "delta": {
      type: "delta";
      pos: string;
      at: string;
      zone: string | null;
      orders: Array<{
        id: string;
        flow: "delivery" | "hail" | "food" | "ride";
        state: "scheduled" | "pending" | "confirmed" | "preparing" | "ready" | "searching" | "offered" | "accepted" | "at_pickup" | "in_transit" | "returning" | "done" | "cancelled" | "unserved" | "no_show" | "returned" | "left" | "discarded";
        since: string;
        created_at: string;
        age_s: number;
        offers: number;
        customer_id: string;
        courier_id: string | null;
        courier_name: string | null;
        offered_to: string | null;
        merchant_id: string | null;
        external_id: string | null;
        eta: string | null;
        due: string | null;
        late: boolean;
        zone: string | null;
        lat: number | null;
        lng: number | null;
        pickup: {
          lat: number | null;
          lng: number | null;
          address: string;
        };
        dropoff: {
          lat: number | null;
          lng: number | null;
          address: string;
        };
        reason: string | null;
      }>;
      couriers: Array<{
        id: string;
        name: string | null;
        lat: number | null;
        lng: number | null;
        zone: string | null;
        fix_at: string | null;
        fix_age_s: number | null;
        on_duty: boolean;
        paused: boolean;
        order_id: string | null;
        idle_since: string | null;
        vehicle_type: string | null;
      }>;
      removed: Array<string>;
      removed_couriers: Array<string>;
      figures: {
        orders: number;
        searching: number;
        unassigned: number;
        late: number;
        unserved: number;
        oldest_searching_s: number | null;
        couriers: number;
        couriers_idle: number;
        couriers_idle_percent: number | null;
      };
      reset?: Array<"couriers">;
    };
    "refreshed": {
      type: "refreshed";
      pos: string;
    };
    "error": {
      type: "error";
      code: string;
      message: string;
      pos: string;
    };
  };
}
