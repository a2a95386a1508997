mod classic;
mod modern;
mod passwords;
mod rooms;
mod scripts;
mod world;
