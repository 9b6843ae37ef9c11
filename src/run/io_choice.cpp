// Every host looks at the files; the root hears what it found and decides for all.
#include "io_choice.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/run/score_job.hpp"

#include <algorithm>
#include <fstream>
#include <map>

namespace h5score::run {
namespace {

using base::Error;
using base::ExitCode;
using storage::Ownership;

constexpr u64 files_checked = 64;

/// Code 0: nothing hinders direct reading and writing.
struct Finding {
  int code = 0;
  std::string problem;
  Ownership ownership = Ownership::all;
};
template <class A>
void archive(A& ar, Finding& v) {
  ar(v.code, v.problem, v.ownership);
}

/// Every rank's finding at the root becomes one for all: the first problem, and the least ownership.
Finding agree(comm::Communicator& comm, const Finding& mine) {
  const auto gathered = comm.gather(base::to_bytes(mine));
  base::Bytes verdict;
  if (comm.root()) {
    Finding all;
    for (const auto& bytes : gathered) {
      const auto one = base::from_bytes<Finding>(bytes);
      if (all.code == 0) all.code = one.code, all.problem = one.problem;
      all.ownership = std::max(all.ownership, one.ownership);
    }
    verdict = base::to_bytes(all);
  }
  comm.broadcast(verdict);
  return base::from_bytes<Finding>(verdict);
}

// Cloned machines may share a name, but not what their kernels drew when they booted.
std::string machine(const std::string& host) {
  std::string boot;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), boot);
  return host + ' ' + boot;
}

Finding look_at(const std::vector<storage::FileIdentity>& files, const std::string& host) {
  const u64 looks = std::min<u64>(files.size(), files_checked);
  try {
    for (u64 i = 0; i < looks; ++i) storage::check_identity(files[i * files.size() / looks], host);
  } catch (const Error& error) {
    return {static_cast<int>(error.code()), error.what(), Ownership::all};
  }
  return {};
}

// Whether this rank sees the files, and on file systems whose pages it can use.
Finding look_at_shared(const std::vector<storage::FileIdentity>& files, const std::string& host) {
  Finding finding = look_at(files, host);
  for (const auto& file : files)
    if (finding.code == 0 && !storage::can_map(file.path))
      finding = {static_cast<int>(ExitCode::io), file.path + " is on no local file system", Ownership::all};
  return finding;
}

IoChoice decide(const std::string& asked, const Finding& all) {
  if (all.code == 0) return {IoMode::direct, asked == "direct" ? "as asked" : "every host sees the files"};
  if (asked == "direct") throw SharedError(static_cast<ExitCode>(all.code), all.problem);
  return {IoMode::scatter, all.problem};
}

}  // namespace

bool Hosts::one() const {
  return std::all_of(of_rank.begin(), of_rank.end(), [](u64 first) { return first == 0; });
}

u64 Hosts::ranks_on_host(u64 rank) const {
  return static_cast<u64>(std::count(of_rank.begin(), of_rank.end(), of_rank[rank]));
}

Hosts find_hosts(comm::Communicator& comm) {
  const std::string host = machine(comm.host());
  const auto gathered = comm.gather(std::as_bytes(std::span(host.data(), host.size())));
  base::Bytes bytes;
  if (comm.root()) {
    std::map<std::string, u64> first;
    std::vector<u64> of_rank;
    for (const auto& name : gathered)
      of_rank.push_back(
          first.emplace(std::string(reinterpret_cast<const char*>(name.data()), name.size()), of_rank.size())
              .first->second);
    bytes = base::to_bytes(of_rank);
  }
  comm.broadcast(bytes);
  return {base::from_bytes<std::vector<u64>>(bytes)};
}

const char* to_string(IoMode mode) {
  return mode == IoMode::direct ? "direct" : "scatter";
}

IoChoice choose_reading(comm::Communicator& comm, const Hosts& hosts, const std::string& asked,
                        const std::vector<storage::FileIdentity>& files, bool dense) {
  if (comm.size() == 1) return {IoMode::direct, "one process"};
  if (asked == "scatter") {
    if (!hosts.one() || !dense || !storage::maps_files()) return {IoMode::scatter, "as asked"};
    const bool shared = agree(comm, look_at_shared(files, comm.host())).code == 0;
    return {IoMode::scatter, shared ? "as asked; on one host the page cache is what it sends" : "as asked", shared};
  }
  return decide(asked, agree(comm, hosts.first_on_host(comm.rank()) ? look_at(files, comm.host()) : Finding{}));
}

WritingChoice choose_writing(comm::Communicator& comm, const Hosts& hosts, const std::string& asked,
                             const storage::ScorePlaces& places, IoChoice& choice) {
  if (comm.size() == 1) return {};
  Finding mine;
  mine.ownership = storage::choose_ownership(places.path, hosts.on_root_host(comm.rank()));
  if (mine.ownership != Ownership::none) mine.problem = storage::direct_write_problem(places, comm.host());
  if (!mine.problem.empty()) mine.code = static_cast<int>(ExitCode::cant_create);
  const Finding all = agree(comm, mine);
  choice = decide(asked, all);
  return {mine.ownership, all.ownership};
}

}  // namespace h5score::run
