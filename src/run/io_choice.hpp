// Who reads the input and writes the scores: rank 0 for all (scatter), or every rank for itself (direct).
#pragma once

#include "h5score/comm/communicator.hpp"
#include "h5score/storage/block_reader.hpp"
#include "h5score/storage/score_writer.hpp"

#include <string>
#include <vector>

namespace h5score::run {

using base::u64;

/// Which ranks share a machine.
struct Hosts {
  std::vector<u64> of_rank;  ///< the lowest rank on the same host, by rank

  [[nodiscard]] bool first_on_host(u64 rank) const { return of_rank[rank] == rank; }
  [[nodiscard]] bool on_root_host(u64 rank) const { return of_rank[rank] == 0; }
  [[nodiscard]] bool one() const;
  [[nodiscard]] u64 ranks_on_host(u64 rank) const;
};
/// Collective.
Hosts find_hosts(comm::Communicator& comm);

enum class IoMode : base::u8 { scatter, direct };
const char* to_string(IoMode mode);

struct IoChoice {
  IoMode mode = IoMode::direct;
  std::string reason;  ///< for people
  /// Scatter among ranks of one host, whose file systems hold the input: nothing needs to be sent.
  bool page_cache = false;
};

/// Collective. `asked`: auto, scatter or direct. One process reads for itself in any case. Else the first rank of each
/// host looks at some of the `files` (the same on every rank); readers check the others when they come to them. Where
/// one is missing or another, `auto` becomes scatter, and `direct` a SharedError that names it and the host. `scatter`
/// needs the files only where all ranks are on one host; `dense`: rows may be used where they are stored.
IoChoice choose_reading(comm::Communicator& comm, const Hosts& hosts, const std::string& asked,
                        const std::vector<storage::FileIdentity>& files, bool dense);

/// What the ranks found of the part file.
struct WritingChoice {
  storage::Ownership mine = storage::Ownership::all;
  storage::Ownership least = storage::Ownership::all;  ///< of all ranks, what leaves most to the root
};
/// Collective. Of a direct choice: whether every rank can write its results. Where one sees another file in place of
/// the part file, `choice` becomes scatter, or SharedError is thrown as above.
WritingChoice choose_writing(comm::Communicator& comm, const Hosts& hosts, const std::string& asked,
                             const storage::ScorePlaces& places, IoChoice& choice);

}  // namespace h5score::run
