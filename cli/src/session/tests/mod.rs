mod classic;
mod history;
mod keys;
mod modern;
mod passwords;
mod rooms;
mod scripts;
mod world;
