#include "h5score/comm/communicator.hpp"
