#pragma once
// The call slab: one shared-memory file that every worker maps and that outlives each of them.
// Plain data and lock-free atomics; no pointers. The supervisor creates it and keeps the descriptor.
//
//   control: CallSlab header | entries of workers and agents | slot directory | log rings | marks   one for all
//   memory:  staging areas | call slots                                      one region for each layout of it
//
// Builds may lay out the memory of calls differently: workers of each layout have a region of their own in the file,
// and a call moves between regions by a snapshot (worker/call_snapshot). The control part is read by every build and by
// the supervisor, so it changes by addition only: a new field goes where there was padding, or behind the last table,
// and zero there means that nobody wrote it.
//
// Single writer: a slot is written by the worker named in SlotEntry::owner and nobody else. Ownership moves by a
// message of the supervisor (control_packet.hpp), never by guessing.
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "common/agent_metrics.hpp"
#include "common/call_state.hpp"
#include "common/message_metrics.hpp"
#include "common/voice_area.hpp"

namespace agentlocator {

inline constexpr std::uint32_t call_slots_max = 4096;      // Live calls of one installation.
inline constexpr std::uint32_t worker_entries_max = 256;   // Workers alive at once, old and new generation together.
inline constexpr std::size_t message_bytes_max = 65'536;   // One WebSocket message from Twilio.
inline constexpr std::size_t frame_header_bytes_max = 14;  // RFC 6455 5.2.
inline constexpr std::size_t receive_bytes_max = 65'536;   // Most taken by one recv.
// A whole largest frame and one more recv; also what a stalled call may hold back before reading stops.
inline constexpr std::size_t staging_bytes = message_bytes_max + frame_header_bytes_max + receive_bytes_max;
inline constexpr std::size_t log_ring_bytes = 131'072;   // Lines a worker has said and its log thread not yet written.
inline constexpr std::size_t send_ring_bytes = 131'072;  // Holds the answer to one largest message twice. Power of two.

static_assert((send_ring_bytes & (send_ring_bytes - 1)) == 0);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

// A call is poison, and closed with 1011, when this many workers in a row died of it. A worker that somebody killed had
// some call in hand by chance, and taking over is our own arithmetic and looks at no payload: both get more patience.
inline constexpr std::uint32_t deaths_max = 2;
inline constexpr std::uint32_t excused_deaths_max = 5;

inline constexpr std::uint32_t no_slot = 0xffff'ffffU;
inline constexpr std::uint32_t no_worker = 0;  // SlotEntry::owner holds the worker's entry index + 1.
// Layouts alive at once: this build's, the last one's, and room for an upgrade that is rolled back and tried again.
inline constexpr std::uint32_t slab_regions_max = 4;
inline constexpr std::uint8_t no_region = 0xff;
// The format in which calls move between layouts (worker/call_snapshot), written and read. Raised only for a change
// that readers of before would misunderstand: builds of two formats cannot follow each other while calls are live.
inline constexpr std::uint32_t snapshot_version = 1;

// What a worker tells the supervisor without a message. Written by that worker only, except `seat`.
struct alignas(64) WorkerEntry {
    std::atomic<std::uint32_t> seat{0};         // Slot number as people know it; 0: entry not in use. Supervisor's.
    std::atomic<std::int64_t> heartbeat_ns{0};  // Steady clock; stored by the media thread in each turn of its loop.
    std::atomic<std::uint64_t> progress{0};     // Media frames in and out: a worker with calls must move.
    std::atomic<std::uint32_t> calls{0};        // Calls carried now.
    std::atomic<std::uint32_t> connections{0};  // HTTP connections open now.
    std::atomic<std::uint64_t> calls_served{0};
    std::atomic<std::uint64_t> requests{0};
    std::atomic<std::uint64_t> refused{0};  // Requests and streams turned away (P8).
    std::atomic<std::uint64_t> log_lines_dropped{0};
    std::atomic<std::uint64_t> frames_in{0};
    std::atomic<std::uint64_t> frames_out{0};

    // Poison calls and torn reads: the slot being worked on, and the absolute receive position of staging[0].
    std::atomic<std::uint32_t> slot_in_hand{no_slot};
    std::atomic<std::uint32_t> slot_adopting{no_slot};  // Being taken over; its bytes are not handled yet.
    std::atomic<std::uint64_t> staging_from{0};
    std::atomic<std::uint8_t> region{no_region};  // Where its calls and its staging area lie; none until it has joined.
};

// Where a slot stands. Small and dense, so that looking for a free slot touches few pages.
struct alignas(64) SlotEntry {
    std::atomic<std::uint32_t> owner{no_worker};    // Worker entry + 1; no_worker when free.
    std::atomic<std::uint16_t> current{0};          // Which of the slot's two CallStates is the committed one.
    std::atomic<std::uint8_t> superseded{0};        // 1: Twilio says that this stream is over; its owner ends it.
    std::atomic<std::uint8_t> region{0};            // Which region holds the slot's memory.
    std::atomic<std::uint64_t> call{0};             // Serial number of the call, never reused; 0 when free.
    std::atomic<std::uint32_t> deaths{0};           // Workers that died in a row handling this slot's bytes.
    std::atomic<std::uint32_t> excused_deaths{0};   // The same, of workers that were killed, or were taking it over.
    std::atomic<std::uint32_t> moves{0};            // Take-overs and hand-overs so far.
    // A freed slot is kept a while, for stream_ended to ask what became of the call (worker/call_record).
    std::atomic<std::uint32_t> ended_s{0};  // Steady clock, whole seconds; 0: not known, or never used.
    std::atomic<std::uint64_t> sid_key{0};  // From the call sid, to find it by; 0: no `start` came.
    // Kernel byte counts at position 0 of the stream (twilio side starts at the 101 response for sending, and after
    // the request head for receiving): tcpi_bytes_acked + SIOCOUTQ, tcpi_bytes_received - SIOCINQ.
    std::atomic<std::uint64_t> sent_base{0};
    std::atomic<std::uint64_t> received_base{0};
    std::atomic<std::uint64_t> sent{0};  // Absolute position handed to the kernel; corrected after a crash.
};

// Which connection is the call's, in the kernel's own words: so that the socket can be taken out of a worker that
// hangs. Written once, when the connection became a call's; it stays the same whoever has the call. A build that does
// not know the table leaves zeros.
struct SocketMark {
    std::atomic<std::uint64_t> call{0};    // Whose mark it is, stored last; another's when SlotEntry::call differs.
    std::atomic<std::uint64_t> cookie{0};  // SO_COOKIE: never reused while the machine runs.
};

// Received bytes of the slot in hand: the kept remainder first, then what recv delivered. Owned by one worker entry.
struct alignas(4096) StagingArea {
    std::array<std::uint8_t, staging_bytes> bytes;
};

// Log lines on their way from the media thread to the log thread. In the slab so that the supervisor can print what a
// killed worker had still to say. Single producer, single consumer; positions are absolute.
struct alignas(4096) LogRing {
    std::atomic<std::uint64_t> head{0};              // Moved by the media thread, after the bytes.
    alignas(64) std::atomic<std::uint64_t> tail{0};  // Moved by whoever writes the lines out.
    alignas(64) std::array<char, log_ring_bytes> bytes;
};

// Pages that a call never reaches are never allocated. The ring follows the states at once, and starts over whenever it
// is empty: a call whose answers leave at once touches the first page only.
struct alignas(4096) CallSlot {
#ifdef AGENTLOCATOR_OTHER_LAYOUT  // Of a build for tests: everything lies elsewhere.
    std::array<std::uint8_t, 4096> of_another_layout;
#endif
    std::array<CallState, 2> states;
    alignas(64) std::array<std::uint8_t, send_ring_bytes> send_ring;
    std::array<std::array<std::uint8_t, staging_bytes>, 2> remainder;
    // Payload of an unfinished fragmented message; bytes beyond the committed size are free to write.
    std::array<std::uint8_t, message_bytes_max> message;
    VoiceArea voice;
};

static_assert(sizeof(WorkerEntry) == 128 && sizeof(SlotEntry) == 64);

// Places in the file. Sparse: what no call touches takes no memory.
inline constexpr std::uint64_t slab_control_bytes = std::uint64_t{64} * 1024 * 1024;
inline constexpr std::uint64_t slab_region_bytes = std::uint64_t{16} * 1024 * 1024 * 1024;
inline constexpr std::uint64_t slab_file_bytes = slab_control_bytes + slab_regions_max * slab_region_bytes;

struct CallSlab {
    static constexpr std::uint64_t magic_value = 0x414c'534c'4142'0001ULL;

    std::uint64_t magic = magic_value;
    std::uint64_t layout = 0;                  // control_layout() of the build that created it.
    std::array<char, 40> instance{};           // Instance id of the supervisor, for /version.
    std::atomic<std::uint64_t> next_call{1};   // Serial numbers of calls.
    std::atomic<std::uint32_t> mode{0};        // WsMode for new calls, set by the supervisor.
    std::atomic<std::uint32_t> held_slots{0};  // Crash-looping slots held open, set by the supervisor: /readyz.
    std::atomic<std::uint64_t> poisoned{0};    // Calls closed for ending two workers, counted by the supervisor.
    std::atomic<std::uint32_t> blind{0};       // 1: the kernel's byte counts are no good; set by the supervisor.
    std::atomic<std::uint64_t> resumed{0};     // Streams that went on with a call whose connection was lost.
    std::atomic<std::uint64_t> superseded{0};  // Moves whenever a slot was marked so.
    // Of the whole run, however many supervisors it had. Theirs to write.
    std::atomic<std::uint64_t> calls_served_before{0};  // By workers that are gone.
    std::atomic<std::uint64_t> calls_lost{0};           // Their worker died, and nobody else had the connection.
    std::atomic<std::uint64_t> upgrades{0};             // Begun so far; names each.
    std::atomic<std::uint64_t> generation{0};           // The upgrade that children are started after, 0 before any.
    AgentMetrics conversations;                         // Of the whole run; every worker adds.
    std::atomic<std::uint64_t> calls_moved{0};          // Take-overs and hand-overs.
    std::array<std::atomic<std::uint64_t>, slab_regions_max> regions{};  // memory_layout() of who uses it; 0: nobody.
    MessageMetrics messages;  // As `conversations`; in what was left of the page, so that no place moved.
    alignas(4096) std::array<WorkerEntry, worker_entries_max> workers;
    std::array<AgentEntry, worker_entries_max> agents;  // Of the worker with the same number.
    std::array<SlotEntry, call_slots_max> directory;
    std::array<LogRing, worker_entries_max> logs;
    std::array<SocketMark, call_slots_max> marks;  // Of the slot with the same number.
    // From here on memory, mapped from one of the regions.
    std::array<StagingArea, worker_entries_max> staging;
    std::array<CallSlot, call_slots_max> slots;
};

inline constexpr std::size_t slab_memory_at = offsetof(CallSlab, staging);
static_assert(slab_memory_at % 4096 == 0 && slab_memory_at <= slab_control_bytes);
static_assert(sizeof(CallSlab) - slab_memory_at <= slab_region_bytes);

[[nodiscard]] constexpr std::uint64_t layout_hash(std::initializer_list<std::uint64_t> parts) {
    std::uint64_t hash = 14'695'981'039'346'656'037ULL;  // FNV-1a
    for (const std::uint64_t part : parts) {
        hash = (hash ^ part) * 1'099'511'628'211ULL;
    }
    return hash;
}

// Differs when a build would misread the control part of another's slab. Such builds cannot follow each other while
// calls are live, so it changes by addition only (see above). The last number counts changes that keep all places.
[[nodiscard]] constexpr std::uint64_t control_layout() {
    return layout_hash({sizeof(WorkerEntry), sizeof(AgentEntry), sizeof(SlotEntry), sizeof(LogRing),
                        sizeof(AgentMetrics), offsetof(CallSlab, conversations), offsetof(CallSlab, regions),
                        offsetof(CallSlab, workers), offsetof(CallSlab, directory), offsetof(CallSlab, logs),
                        slab_control_bytes, slab_region_bytes, std::uint64_t{6}});
}

// The same for the memory of calls: builds that differ in it have a region each. Never 0.
[[nodiscard]] constexpr std::uint64_t memory_layout() {
    return layout_hash({sizeof(CallSlot), sizeof(CallState), sizeof(ConversationState), sizeof(FrameState),
                        sizeof(SendState), sizeof(VoiceArea), sizeof(StagingArea), worker_entries_max, send_ring_bytes,
                        std::uint64_t{1}}) |
           1U;
}

}  // namespace agentlocator
