mod classic;
mod history;
mod modern;
mod passwords;
mod rooms;
mod scripts;
mod world;
