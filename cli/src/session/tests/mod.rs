mod classic;
mod modern;
mod passwords;
mod rooms;
mod world;
