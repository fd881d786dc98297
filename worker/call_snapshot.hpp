#pragma once
// A call's memory as bytes that describe themselves, for a build that lays it out differently: the worker that lets go
// of a call writes them, the one that takes it over reads them. Pure memory work, between two steps of the call.
//
//   snapshot: "ALCS" version:u32 section*          section: tag[4] version:u32 size:u32 bytes
//   a section of fields: (id:u16 size:u16 bytes)*  numbers little-endian, of any width
//
//   CALL  what the stream is         FRAM  WebSocket frames in        KEPT  received and not yet parsed
//   SEND  position of the send end   UNSE  bytes still to be sent     MESG  payload of an unfinished message
//   of AI calls also
//   CONV  the agent's side           ACTS  what the caller did        UTTR  from:u64, his audio that is still wanted
//   SENT  (end:u64 turn:u32 number:u32)* of the sentences not heard   SPCH  from:u64, the agent's audio not heard
//   MEMO  the agent's notes          BAND, LEVL, RECN  the detector's past
//   LAST  nothing: the snapshot is whole
//
// Unknown sections and fields are passed over, and missing fields keep their default, so that builds may differ both
// ways. What must not be guessed has to fit, or the call is not taken over; the detector's past may be forgotten. The
// slot's entry in the directory, with the kernel's byte counts, is the same for all layouts and not part of it.
#include <cstdint>
#include <span>
#include <vector>

#include "common/call_slab.hpp"
#include "common/result.hpp"

namespace agentlocator {

inline constexpr std::size_t snapshot_bytes_max = 4U * 1024 * 1024;  // All areas of a slot at their fullest, twice.

[[nodiscard]] std::vector<std::uint8_t> write_snapshot(CallSlab& slab, std::uint32_t slot);

// Fills our memory of that slot; the directory is not touched, so that doing it again, or elsewhere, is harmless.
// Error: bad_message or too_large; then the slot's memory is not to be used.
[[nodiscard]] Result<void> read_snapshot(CallSlab& slab, std::uint32_t slot, std::span<const std::uint8_t> snapshot);

}  // namespace agentlocator
