// The communicator of a test program of several ranks, made by tests/mpi_main.cpp.
#pragma once

#include "h5score/comm/communicator.hpp"

namespace h5score::test {

comm::Communicator& mpi_world();

}  // namespace h5score::test
