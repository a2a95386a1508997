mod classic;
mod modern;
mod rooms;
mod world;
