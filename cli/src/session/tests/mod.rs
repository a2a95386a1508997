mod classic;
mod modern;
mod passwords;
mod world;
