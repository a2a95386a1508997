mod classic;
mod modern;
mod world;
