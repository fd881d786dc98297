#pragma once
// Supervisor <-> worker messages: one fixed-size packet each, over a SOCK_SEQPACKET pair, some with one descriptor.
//
//   worker                                supervisor
//     ready ------------------------------->  seat is serving (arg: slab layout, low 32 bits)
//     call_opened (slot, call, +socket) --->  keeps the duplicate
//     <------------------------- release     give up this call (balance, rolling restart, drain)
//     call_released (slot, call) ---------->  committed, no longer touched
//     <-------------- adopt (+socket)        take this call, from worker entry `arg`; flags: poison
//     call_adopted (slot, call) ----------->
//     call_closed (slot, call) ------------>  drops the duplicate, the slot is free
//     <---------------------------- drain     accept no more; finish open HTTP requests
//     drained ----------------------------->  nothing left; about to exit with 0
//     <----------------------------- stop     end calls now (1001) and exit
//
// What needs no message (heartbeat, counters, mode of new calls) lies in the slab.
// Descriptors a worker inherits follow the systemd convention: LISTEN_FDS=3 LISTEN_FDNAMES=http:control:slab,
// AGENTLOCATOR_WORKER=<worker entry>.
#include <cstdint>
#include <type_traits>

#include "common/call_slab.hpp"

namespace agentlocator {

enum class PacketType : std::uint16_t {
    ready = 1,
    call_opened,
    call_released,
    call_adopted,
    call_closed,
    drained,
    adopt = 64,
    release,
    drain,
    stop,
};

inline constexpr std::uint16_t control_version = 1;
inline constexpr std::uint32_t packet_flag_poison = 1;  // Close the call with 1011 instead of serving it.
inline constexpr std::uint32_t packet_flag_lost = 8;    // Nobody knows which bytes moved: cut the connection.

struct ControlPacket {
    std::uint16_t version = control_version;
    PacketType type{};
    std::uint32_t slot = no_slot;
    std::uint64_t call = 0;
    std::uint32_t arg = 0;
    std::uint32_t flags = 0;
};

static_assert(sizeof(ControlPacket) == 24 && std::is_trivially_copyable_v<ControlPacket>);

// Names of inherited descriptors in LISTEN_FDNAMES, in this order from descriptor 3 on.
inline constexpr char fd_name_http[] = "http";
inline constexpr char fd_name_control[] = "control";
inline constexpr char fd_name_slab[] = "slab";

}  // namespace agentlocator
