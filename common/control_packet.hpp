#pragma once
// Supervisor <-> worker messages: one fixed-size packet each, over a SOCK_SEQPACKET pair, some with one descriptor.
//
//   worker                                supervisor
//     ready ------------------------------->  seat is serving (arg: control_layout(), low 32 bits)
//     call_opened (slot, call, +socket) --->  keeps the duplicate
//     <------------------------- release     give up this call (balance, rolling restart, drain)
//     call_released (slot, call) ---------->  committed, no longer touched; with a snapshot (+ a memfd) if asked for
//     <---------- snapshot (slot, call, +memfd)  before `adopt` by a worker of another layout: the call's memory
//     <-------------- adopt (+socket)        take this call, from worker entry `arg`; flags: poison, lost, snapshot
//     call_adopted (slot, call) ----------->
//     <------------------ parted (slot, call)  to who released it: another has it, the socket kept may go
//     call_closed (slot, call) ------------>  drops the duplicate, the slot is free
//     <---------------------------- drain     accept no more; finish open HTTP requests
//     drained ----------------------------->  nothing left; about to exit with 0
//     <----------------------------- stop     end calls now (1001) and exit
//     <------------------- bridge (+pidfd)    whom to end should no supervisor come back
//
// A worker whose supervisor died connects to workers.sock in the runtime folder when a new one opens it, and hands back
// what it has; after returned_all the connection is the control channel:
//     returned (arg: worker entry; flags: draining; + slab) ->
//     returned_listener (+ listening socket) ->
//     returned_call (slot, call; flags: released; + socket) -> one for each call it carries or still keeps
//     returned_all (arg: calls told; call: serial numbers from here on began later) ->
//     <---------------------------- adopted    a supervisor again
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
    returned,
    returned_listener,
    returned_call,
    returned_all,
    adopt = 64,
    release,
    drain,
    stop,
    parted,
    bridge,
    adopted,
    snapshot,
};

inline constexpr std::uint16_t control_version = 1;
inline constexpr std::uint32_t packet_flag_poison = 1;    // adopt: close the call with 1011 instead of serving it.
inline constexpr std::uint32_t packet_flag_draining = 2;  // returned: takes no new connections.
inline constexpr std::uint32_t packet_flag_released = 4;  // returned_call: given up, and nobody said who has it.
inline constexpr std::uint32_t packet_flag_lost = 8;      // adopt: nobody knows which bytes moved; cut the connection.
// release: workers of another layout live, hand over a snapshot. call_released, adopt: there is one.
inline constexpr std::uint32_t packet_flag_snapshot = 16;
inline constexpr std::uint32_t packet_flag_foreign = 32;  // adopt: nobody can read its memory; cut the connection.

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

// In the runtime folder while a supervisor collects what the workers of its dead predecessor have.
inline constexpr char workers_socket_name[] = "workers.sock";

}  // namespace agentlocator
