// Several ranks in one process: each rank is a thread with a Communicator of its own. Messages are delivered at once,
// but a probe now and then sees nothing, so that tests meet other orders of events. abort() throws Aborted.
#pragma once

#include "h5score/comm/communicator.hpp"

#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <stdexcept>
#include <thread>

namespace h5score::test {

using base::u32;
using base::u64;
using comm::Tag;

/// Stands for the end of the process, so it is no std::exception that anything but a test would catch.
struct Aborted {
  int code = 0;
};

/// What the ranks share; one lock for all of it.
class ThreadHub {
 public:
  explicit ThreadHub(u32 ranks, bool on_one_host) : one_host(on_one_host), boxes(ranks) {}

  const bool one_host;

  struct Slot {  ///< a posted receive
    std::span<std::byte> data;
    u32 source;
    Tag tag;
    bool done = false;
  };
  struct Message {
    u32 source;
    Tag tag;
    base::Bytes data;
  };
  struct Box {
    std::deque<Message> messages;
    std::vector<std::shared_ptr<Slot>> posted;
  };

  static void deliver(Slot& slot, const Message& message) {
    if (slot.data.size() != message.data.size()) throw std::logic_error("a receive has not the size of its message");
    std::copy(message.data.begin(), message.data.end(), slot.data.begin());
    slot.done = true;
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Box> boxes;
  std::map<u64, std::vector<base::Bytes>> collectives;  ///< by sequence number: bytes by rank
  std::map<u64, std::vector<bool>> deposited;
  bool aborted = false;
};

class ThreadCommunicator final : public comm::Communicator {
 public:
  ThreadCommunicator(ThreadHub& hub, u32 rank) : hub_(hub), rank_(rank), random_(rank) {}
  [[nodiscard]] u32 rank() const override { return rank_; }
  [[nodiscard]] u32 size() const override { return static_cast<u32>(hub_.boxes.size()); }
  [[nodiscard]] std::string host() const override {
    return hub_.one_host ? std::string("threads") : "thread" + std::to_string(rank_);
  }
  [[nodiscard]] comm::Traffic traffic() const override { return traffic_; }

  void barrier() override { gather_all({}); }
  void broadcast(base::Bytes& data) override { data = gather_all(root() ? base::ByteView(data) : base::ByteView())[0]; }
  std::vector<base::Bytes> gather(base::ByteView data) override {
    auto all = gather_all(data);
    return root() ? all : std::vector<base::Bytes>();
  }
  u64 all_max(u64 value) override {
    u64 most = 0;
    for (const base::Bytes& bytes : gather_all(std::as_bytes(std::span(&value, 1)))) {
      std::memcpy(&value, bytes.data(), sizeof value);
      most = std::max(most, value);
    }
    return most;
  }

  std::unique_ptr<comm::Request> send(base::ByteView data, u32 to, Tag tag) override {
    const std::lock_guard lock(hub_.mutex);
    throw_if_aborted();
    ++traffic_.messages;
    traffic_.message_bytes += data.size();
    const ThreadHub::Message message{rank_, tag, {data.begin(), data.end()}};
    auto& box = hub_.boxes[to];
    const auto slot = std::find_if(box.posted.begin(), box.posted.end(),
                                   [&](const auto& s) { return s->source == rank_ && s->tag == tag; });
    if (slot != box.posted.end()) {
      ThreadHub::deliver(**slot, message);
      box.posted.erase(slot);
    } else {
      box.messages.push_back(message);
    }
    return std::make_unique<Wait>(*this, [] { return true; });
  }

  std::unique_ptr<comm::Request> receive(std::span<std::byte> data, u32 from, Tag tag) override {
    const std::lock_guard lock(hub_.mutex);
    auto& box = hub_.boxes[rank_];
    auto slot = std::make_shared<ThreadHub::Slot>(ThreadHub::Slot{data, from, tag});
    const auto message = std::find_if(box.messages.begin(), box.messages.end(),
                                      [&](const auto& m) { return m.source == from && m.tag == tag; });
    if (message != box.messages.end()) {
      ThreadHub::deliver(*slot, *message);
      box.messages.erase(message);
    } else {
      box.posted.push_back(slot);
    }
    return std::make_unique<Wait>(*this, [slot] { return slot->done; });
  }

  std::optional<comm::Envelope> probe() override {
    const std::lock_guard lock(hub_.mutex);
    throw_if_aborted();
    const auto& messages = hub_.boxes[rank_].messages;
    if (messages.empty() || random_() % 4 == 0) return std::nullopt;
    return comm::Envelope{messages.front().source, messages.front().tag, messages.front().data.size()};
  }

  std::unique_ptr<comm::Request> scatter(base::ByteView data, std::span<const u64> parts,
                                         std::span<std::byte> mine) override {
    const u64 number = sequence_++;
    const std::lock_guard lock(hub_.mutex);
    if (root()) {
      auto& all = hub_.collectives[number];
      for (const u64 part : parts) {
        all.emplace_back(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(part));
        data = data.subspan(part);
      }
    }
    return std::make_unique<Wait>(*this, [this, number, mine] {
      const auto found = hub_.collectives.find(number);
      if (found == hub_.collectives.end()) return false;
      const base::Bytes& part = found->second[rank_];
      if (part.size() != mine.size()) throw std::logic_error("a scatter's part has not the size of its receiver");
      std::copy(part.begin(), part.end(), mine.begin());
      return true;
    });
  }

  std::unique_ptr<comm::Request> gather(base::ByteView mine, std::span<std::byte> data,
                                        std::span<const u64> parts) override {
    const u64 number = sequence_++;
    const std::lock_guard lock(hub_.mutex);
    deposit(number, mine);
    if (!root()) return std::make_unique<Wait>(*this, [] { return true; });
    return std::make_unique<Wait>(*this, [this, number, data, parts = std::vector<u64>(parts.begin(), parts.end())] {
      if (!complete(number)) return false;
      auto to = data.begin();
      for (u32 r = 0; r < size(); ++r) {
        const base::Bytes& part = hub_.collectives[number][r];
        if (part.size() != parts[r]) throw std::logic_error("a gather's part has not the announced size");
        to = std::copy(part.begin(), part.end(), to);
      }
      return true;
    });
  }

  void progress() override {
    const std::lock_guard lock(hub_.mutex);
    throw_if_aborted();
  }

  [[noreturn]] void abort(int code) override {
    {
      const std::lock_guard lock(hub_.mutex);
      hub_.aborted = true;
    }
    hub_.changed.notify_all();
    throw Aborted{code};
  }

 private:
  class Wait final : public comm::Request {
   public:
    Wait(ThreadCommunicator& comm, std::function<bool()> done) : comm_(comm), done_(std::move(done)) {}
    bool test() override {
      if (complete_) return true;
      const std::lock_guard lock(comm_.hub_.mutex);
      comm_.throw_if_aborted();
      return complete_ = done_();
    }

   private:
    ThreadCommunicator& comm_;
    std::function<bool()> done_;
    bool complete_ = false;
  };

  void throw_if_aborted() const {
    if (hub_.aborted) throw Aborted{-1};
  }
  void deposit(u64 number, base::ByteView mine) {
    auto& all = hub_.collectives[number];
    auto& there = hub_.deposited[number];
    all.resize(size());
    there.resize(size());
    all[rank_].assign(mine.begin(), mine.end());
    there[rank_] = true;
    hub_.changed.notify_all();
  }
  [[nodiscard]] bool complete(u64 number) const {
    const auto& there = hub_.deposited.at(number);
    return std::all_of(there.begin(), there.end(), [](bool b) { return b; });
  }
  /// Blocking: everybody's bytes, everywhere. The entry stays: others may not have read it yet.
  std::vector<base::Bytes> gather_all(base::ByteView mine) {
    std::unique_lock lock(hub_.mutex);
    const u64 number = sequence_++;
    deposit(number, mine);
    hub_.changed.wait(lock, [&] { return hub_.aborted || complete(number); });
    throw_if_aborted();
    return hub_.collectives[number];
  }

  ThreadHub& hub_;
  u32 rank_;
  u64 sequence_ = 0;
  comm::Traffic traffic_;
  std::minstd_rand random_;
};

/// Runs `body` on each rank, each on a host of its own or all on one. Returns each rank's exception, or null. A rank
/// that throws aborts the others.
inline std::vector<std::exception_ptr> run_ranks(u32 ranks, const std::function<void(comm::Communicator&)>& body,
                                                 bool one_host = false) {
  ThreadHub hub(ranks, one_host);
  std::vector<std::exception_ptr> errors(ranks);
  std::vector<std::thread> threads;
  for (u32 rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] {
      ThreadCommunicator comm(hub, rank);
      try {
        body(comm);
      } catch (...) {
        errors[rank] = std::current_exception();
        const std::lock_guard lock(hub.mutex);
        hub.aborted = true;
        hub.changed.notify_all();
      }
    });
  for (std::thread& thread : threads) thread.join();
  return errors;
}

}  // namespace h5score::test
